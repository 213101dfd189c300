import { describe, expect, it } from "vitest";
import { createPrincipalLimiter } from "./principal-limiter.ts";

const LIMITS = { ratePerS: 10, burst: 3, concurrent: 2 };

describe("the limiter of callers", () => {
  it("lets a burst through and then the rate, and says when to come again", () => {
    let nowMs = 0;
    const limiter = createPrincipalLimiter(LIMITS, () => nowMs);
    const call = () => limiter.begin("a")();
    for (let i = 0; i < 3; i += 1) call();
    expect(call).toThrow("more than 10 calls per second (3 at once)");
    expect(refusalOf(call)).toMatchObject({ details: { quota: "calls per second", retryAfterMs: "100" } });
    nowMs += 99;
    expect(call).toThrow();
    nowMs += 1;
    call();
    nowMs += 60_000;
    for (let i = 0; i < 3; i += 1) call();
    expect(call).toThrow();
  });

  it("counts calls that run, each caller by itself", () => {
    const limiter = createPrincipalLimiter({ ...LIMITS, burst: 100 });
    const end = limiter.begin("a");
    limiter.begin("a");
    expect(() => limiter.begin("a")).toThrow("2 calls of the caller are running, the bound is 2");
    limiter.begin("b");
    end();
    limiter.begin("a");
  });

  it("keeps to a caller's own bounds", () => {
    const limiter = createPrincipalLimiter(LIMITS);
    limiter.begin("a", { concurrent: 1 });
    expect(() => limiter.begin("a", { concurrent: 1 })).toThrow("the bound is 1");
  });

  it("forgets quiet callers beyond ten thousand and none whose calls run", () => {
    const limiter = createPrincipalLimiter({ ...LIMITS, concurrent: 1 });
    limiter.begin("busy");
    for (let i = 0; i < 20_000; i += 1) limiter.begin(`caller ${i}`)();
    expect(() => limiter.begin("busy")).toThrow("the bound is 1");
  });
});

function refusalOf(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}
