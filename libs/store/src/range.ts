import { DomainError } from "@parfocal/errors";
import type { ByteRange } from "./object-store.ts";

/**
 * The bytes that a read asks for: the range, or the whole object when there is none.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the range is no range or ends beyond `sizeBytes`.
 */
export function resolveRange(range: ByteRange | undefined, sizeBytes: number): ByteRange {
  if (range === undefined) return { start: 0, end: sizeBytes };
  assertRange(range);
  if (range.end > sizeBytes) throw rangeBeyondEnd(range, sizeBytes);
  return range;
}

/**
 * Checks what can be checked before the size is known.
 *
 * @throws {DomainError} INVALID_ARGUMENT unless `0 <= start <= end`, both whole numbers.
 */
export function assertRange(range: ByteRange): void {
  const isOk = Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end) && range.start >= 0;
  if (!isOk || range.start > range.end) {
    throw new DomainError("INVALID_ARGUMENT", `range [${range.start}, ${range.end}) is not 0 <= start <= end`);
  }
}

/** The error of a range that ends beyond the object. */
export function rangeBeyondEnd(range: ByteRange, sizeBytes: number): DomainError {
  return new DomainError(
    "INVALID_ARGUMENT",
    `range [${range.start}, ${range.end}) ends beyond the object's ${sizeBytes} bytes`,
  );
}
