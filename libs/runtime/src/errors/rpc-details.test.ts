import { describe, expect, it } from "vitest";
import { detailsOf } from "./rpc-details.ts";

describe("details of errors", () => {
  it("name the quota that was used up and when to come again", () => {
    const details = detailsOf("RESOURCE_EXHAUSTED", "too fast", { quota: "calls per second", retryAfterMs: "250" });
    expect(details.QuotaFailure?.violations).toEqual([
      expect.objectContaining({ subject: "calls per second", description: "too fast" }),
    ]);
    expect(details.RetryInfo?.retryDelay).toMatchObject({ nanos: 250_000_000 });
  });

  it("name no quota where none was used up", () => {
    expect(detailsOf("RESOURCE_EXHAUSTED", "busy", {})).not.toHaveProperty("QuotaFailure");
    expect(detailsOf("INTERNAL", "x", { quota: "calls" })).not.toHaveProperty("QuotaFailure");
  });
});
