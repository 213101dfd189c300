import { DomainError } from "@parfocal/errors";
import { describe, expect, it, vi } from "vitest";
import { createSilentLogger } from "../telemetry/logger.ts";
import { createReadiness } from "./readiness.ts";

const down = () => Promise.reject(new DomainError("UNREACHABLE", "no"));

describe("readiness", () => {
  const logger = createSilentLogger();

  it("is there when every check passes, and health hears of changes alone", async () => {
    let isUp = false;
    const checks = [
      { name: "store", check: async () => undefined },
      { name: "stage", check: () => (isUp ? Promise.resolve() : down()) },
    ];
    const readiness = await createReadiness({ checks, logger, intervalMs: 1e6 });
    expect(readiness.isReady).toBe(false);
    const setServing = vi.fn();
    readiness.attach({ setServing }, ["a.Service"]);
    await readiness.look();
    isUp = true;
    expect(await readiness.look()).toBe(true);
    await readiness.look();
    isUp = false;
    expect(await readiness.look()).toBe(false);
    expect(setServing.mock.calls).toEqual([
      ["", false],
      ["a.Service", false],
      ["", true],
      ["a.Service", true],
      ["", false],
      ["a.Service", false],
    ]);
    readiness.close();
  });

  it("looks again by itself", async () => {
    const check = vi.fn(async () => undefined);
    const readiness = await createReadiness({ checks: [{ name: "x", check }], logger, intervalMs: 5 });
    await vi.waitFor(() => expect(check.mock.calls.length).toBeGreaterThan(2), { timeout: 30_000 });
    readiness.close();
  });

  it("does not wait for a check that never answers, and tells it to stop", async () => {
    let signal: AbortSignal | undefined;
    const check = (given: AbortSignal) => {
      signal = given;
      return new Promise<void>(() => {});
    };
    const readiness = await createReadiness({ checks: [{ name: "x", check }], logger, intervalMs: 1e6, timeoutMs: 10 });
    expect([readiness.isReady, signal?.aborted]).toEqual([false, true]);
    readiness.close();
  });

  it("says once what is wrong, and once that it is right again", async () => {
    const lines: string[] = [];
    const log = {
      ...logger,
      warn: (line: string) => void lines.push(line),
      info: (line: string) => void lines.push(line),
    };
    let isUp = false;
    const checks = [{ name: "store", check: () => (isUp ? Promise.resolve() : down()) }];
    const readiness = await createReadiness({ checks, logger: log, intervalMs: 1e6 });
    await readiness.look();
    isUp = true;
    await readiness.look();
    await readiness.look();
    expect(lines).toEqual(["not ready: store", "ready again: store"]);
    readiness.close();
  });
});
