import { DomainError } from "@parfocal/errors";

/**
 * A copy of `bytes` with the bytes of each element reversed, for big-endian sources.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT for elements of another size than 1, 2, 4 or 8 bytes.
 */
export function swappedBytes(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const copy = Buffer.from(new Uint8Array(bytes).buffer);
  if (elementBytes === 1) return copy;
  if (elementBytes === 2) return copy.swap16();
  if (elementBytes === 4) return copy.swap32();
  if (elementBytes === 8) return copy.swap64();
  throw new DomainError("UNSUPPORTED_FORMAT", `big-endian elements of ${elementBytes} bytes are not read`);
}
