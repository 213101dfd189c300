import { DomainError } from "@parfocal/errors";
import type { Duration } from "./gen/google/protobuf/duration.ts";
import type { Timestamp } from "./gen/google/protobuf/timestamp.ts";

const NANOS_PER_MS = 1_000_000;

/** Years 1 to 9999, the range of `google.protobuf.Timestamp`, in ms since the epoch. */
const MIN_TIMESTAMP_MS = -62_135_596_800_000;
const MAX_TIMESTAMP_MS = 253_402_300_799_999;

/** 10 000 years of 365.25 days, the range of `google.protobuf.Duration`, in seconds. */
const MAX_DURATION_S = 315_576_000_000;

function assertWithin(what: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new DomainError("INVALID_ARGUMENT", `${what} is ${value}, expected ${min} to ${max}`);
}

/**
 * Milliseconds since the epoch as a timestamp; fractions of a millisecond become nanoseconds.
 *
 * @throws {DomainError} INVALID_ARGUMENT outside the years 1 to 9999 or not a number.
 */
export function timestampFromMs(epochMs: number): Timestamp {
  assertWithin("a time in ms", epochMs, MIN_TIMESTAMP_MS, MAX_TIMESTAMP_MS);
  const seconds = Math.floor(epochMs / 1000);
  // The fraction of the second is taken from whole ms and the rest apart, so that no nanosecond count reaches 1e9.
  const ms = Math.floor(epochMs);
  const nanos = (ms - seconds * 1000) * NANOS_PER_MS + Math.floor((epochMs - ms) * NANOS_PER_MS);
  return { seconds: BigInt(seconds), nanos };
}

/**
 * A timestamp as milliseconds since the epoch, rounded down.
 *
 * @throws {DomainError} INVALID_ARGUMENT when nanos are outside [0, 1e9) or the year outside 1 to 9999.
 */
export function msFromTimestamp(timestamp: Timestamp): number {
  assertWithin("nanos of a timestamp", timestamp.nanos, 0, 999_999_999);
  const ms = Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / NANOS_PER_MS);
  assertWithin("a time in ms", ms, MIN_TIMESTAMP_MS, MAX_TIMESTAMP_MS);
  return ms;
}

/**
 * Milliseconds (negative allowed) as a duration.
 *
 * @throws {DomainError} INVALID_ARGUMENT beyond 10 000 years or not a number.
 */
export function durationFromMs(durationMs: number): Duration {
  assertWithin("a duration in ms", durationMs, -MAX_DURATION_S * 1000, MAX_DURATION_S * 1000);
  const seconds = Math.trunc(durationMs / 1000);
  // Both parts carry the sign, as protobuf demands; rounding is to the microsecond, finer is float noise.
  const nanos = Math.trunc(Math.round((durationMs - seconds * 1000) * 1000) * 1000);
  return Math.abs(nanos) < 1e9
    ? { seconds: BigInt(seconds), nanos: nanos + 0 }
    : { seconds: BigInt(seconds + Math.sign(nanos)), nanos: 0 };
}

/**
 * A duration as milliseconds, with fractions.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the parts differ in sign or leave their range.
 */
export function msFromDuration(duration: Duration): number {
  const seconds = Number(duration.seconds);
  assertWithin("seconds of a duration", seconds, -MAX_DURATION_S, MAX_DURATION_S);
  assertWithin("nanos of a duration", duration.nanos, seconds > 0 ? 0 : -999_999_999, seconds < 0 ? 0 : 999_999_999);
  return seconds * 1000 + duration.nanos / NANOS_PER_MS;
}
