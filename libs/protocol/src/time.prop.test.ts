import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationFromMs, msFromDuration, msFromTimestamp, timestampFromMs } from "./time.ts";

describe("times on the wire", () => {
  it("keep whole milliseconds from year 1 to year 9999", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (ms) => {
        const timestamp = timestampFromMs(ms);
        expect(timestamp.nanos).toBeGreaterThanOrEqual(0);
        expect(timestamp.nanos).toBeLessThan(1e9);
        expect(msFromTimestamp(timestamp)).toBe(ms);
      }),
    );
  });

  it("keep durations to the microsecond, both parts with one sign", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (us) => {
        const { seconds, nanos } = durationFromMs(us / 1000);
        expect(Math.abs(nanos)).toBeLessThan(1e9);
        expect(Number(seconds) * nanos).toBeGreaterThanOrEqual(0);
        expect(Math.round(msFromDuration({ seconds, nanos }) * 1000)).toBe(us);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e18, -1e18])("refuse %s ms", (ms) => {
    expect(() => timestampFromMs(ms)).toThrow("expected");
    expect(() => durationFromMs(ms)).toThrow("expected");
  });

  it("refuse parts out of range", () => {
    expect(() => msFromTimestamp({ seconds: 0n, nanos: 1e9 })).toThrow("nanos");
    expect(() => msFromTimestamp({ seconds: 10n ** 12n, nanos: 0 })).toThrow("expected");
    expect(() => msFromDuration({ seconds: 1n, nanos: -1 })).toThrow("nanos");
    expect(() => msFromDuration({ seconds: -1n, nanos: 1 })).toThrow("nanos");
  });
});
