import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { type Failure, type RetryPolicy, retry } from "./retry.ts";

const failure = (isRetryable: boolean, retryAfterMs?: number): Failure => ({
  error: new DomainError("THROTTLED", "slow down"),
  isRetryable,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

function recording(classified: Failure, random = 0.5, maxAttempts = 12): { policy: RetryPolicy; pauses: number[] } {
  const pauses: number[] = [];
  const world = { random: () => random, sleep: async (ms: number) => void pauses.push(ms) };
  return { policy: { maxAttempts, baseMs: 100, world, classify: () => classified }, pauses };
}

const fails = async () => {
  throw new Error("cause");
};

describe("retry", () => {
  it("doubles the bound of the pause up to 20 s and takes a random part of it", async () => {
    const { policy, pauses } = recording(failure(true));
    await expect(retry(policy, fails)).rejects.toMatchObject({ code: "THROTTLED" });
    expect(pauses).toEqual([50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  });

  it("may pause not at all: the jitter is full", async () => {
    const { policy, pauses } = recording(failure(true), 0, 3);
    await expect(retry(policy, fails)).rejects.toThrow("slow down");
    expect(pauses).toEqual([0, 0]);
  });

  it("waits as long as the server asks, but no longer than 20 s", async () => {
    const short = recording(failure(true, 3000), 0.5, 2);
    await expect(retry(short.policy, fails)).rejects.toThrow();
    expect(short.pauses).toEqual([3000]);
    const long = recording(failure(true, 3_600_000), 0.5, 2);
    await expect(retry(long.policy, fails)).rejects.toThrow();
    expect(long.pauses).toEqual([20_000]);
  });

  it("tells each try its number and gives the first success", async () => {
    const { policy } = recording(failure(true));
    const seen: number[] = [];
    const work = async (attempt: number) => {
      seen.push(attempt);
      return attempt < 2 ? fails() : "done";
    };
    expect(await retry(policy, work)).toBe("done");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("does not repeat what cannot be helped", async () => {
    const { policy, pauses } = recording(failure(false));
    await expect(retry(policy, fails)).rejects.toThrow("slow down");
    expect(pauses).toEqual([]);
  });

  it("does not try at all after the signal", async () => {
    const { policy } = recording(failure(true));
    const work = async () => "done";
    await expect(retry({ ...policy, signal: AbortSignal.abort() }, work)).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
