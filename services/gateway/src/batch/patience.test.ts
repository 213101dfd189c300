import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { createPatience } from "./patience.ts";

const full = new DomainError("RESOURCE_EXHAUSTED", "no room", { details: { retryAfterMs: "1000" } });
const away = new DomainError("UNREACHABLE", "away");

function patienceOf(signal = new AbortController().signal) {
  const pauses: number[] = [];
  const pause = (ms: number): Promise<void> => Promise.resolve(void pauses.push(ms));
  return { pauses, patience: createPatience({ signal, random: () => 1, pause }) };
}

describe("createPatience", () => {
  it("waits as long as it is asked to and a little longer, to a bound", async () => {
    const { pauses, patience } = patienceOf();
    for (let i = 0; i < 5; i++) await patience.pauseAfter(full);
    expect(pauses).toEqual([1250, 1500, 2000, 3000, 3000]);
    patience.reset();
    for (let i = 0; i < 9; i++) await patience.pauseAfter(away);
    expect(pauses.slice(5)).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("ends, and begins again when something went on", async () => {
    const { patience } = patienceOf();
    const insist = async (times: number) => {
      for (let i = 0; i < times; i++) await patience.pauseAfter(away);
    };
    await insist(30);
    await expect(insist(1)).rejects.toBe(away);
    patience.reset();
    await insist(30);
  });

  it("throws what says something else, and the signal's reason", async () => {
    const { patience } = patienceOf();
    const other = new DomainError("CORRUPT", "damaged");
    await expect(patience.pauseAfter(other)).rejects.toBe(other);
    await expect(patienceOf(AbortSignal.abort()).patience.pauseAfter(full)).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
