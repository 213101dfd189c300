import { DomainError } from "@parfocal/errors";

/** Longest text or integer taken from a pickle: names and sizes are short, tensors lie outside. Arrays of numpy have no such bound. */
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_INTEGER_BYTES = 64;

/** Reads the arguments of pickle opcodes. Every read is checked against the end of the bytes. */
export interface PickleCursor {
  /** Where the next byte lies. */
  readonly position: () => number;
  readonly uint: (nBytes: 1 | 2 | 4 | 8) => number;
  readonly int32: () => number;
  readonly float64: () => number;
  /** The next `length` bytes as a view. */
  readonly bytes: (length: number) => Uint8Array;
  readonly text: (length: number, encoding: "utf8" | "latin1") => string;
  /** A little-endian two's-complement integer. */
  readonly long: (length: number) => number | bigint;
  /** Up to the next line feed, which is skipped. */
  readonly line: () => string;
}

/**
 * A cursor over `bytes` from `start`.
 *
 * Its reads throw `DomainError` TRUNCATED at the end of the bytes and CORRUPT for lengths that nothing honest has.
 */
export function createPickleCursor(bytes: Uint8Array, start: number): PickleCursor {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const take = (length: number): number => {
    if (!(at + length <= buffer.length)) {
      throw new DomainError(
        "TRUNCATED",
        `the pickle needs ${length} bytes at byte ${at}, the file has ${buffer.length}`,
      );
    }
    at += length;
    return at - length;
  };
  const bounded = (length: number, bound: number): number => {
    if (length > bound)
      throw new DomainError(
        "CORRUPT",
        `the pickle has a value of ${length} bytes at byte ${at}, the bound is ${bound}`,
      );
    return take(length);
  };
  const text = (length: number, encoding: "utf8" | "latin1"): string => {
    const from = bounded(length, MAX_TEXT_BYTES);
    return buffer.toString(encoding, from, from + length);
  };
  return {
    position: () => at,
    uint: (nBytes) =>
      nBytes === 8 ? safe(buffer.readBigUInt64LE(take(8)), at) : buffer.readUIntLE(take(nBytes), nBytes),
    int32: () => buffer.readInt32LE(take(4)),
    float64: () => buffer.readDoubleBE(take(8)),
    bytes: (length) => {
      const from = take(length);
      return bytes.subarray(from, from + length);
    },
    text,
    long: (length) => {
      const from = bounded(length, MAX_INTEGER_BYTES);
      return integerFrom(buffer.subarray(from, from + length));
    },
    line: () => {
      const end = buffer.indexOf(0x0a, at);
      if (end < 0) throw new DomainError("TRUNCATED", `the pickle has no end of line after byte ${at}`);
      return text(end - at + 1, "utf8").slice(0, -1);
    },
  };
}

function safe(value: bigint, at: number): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new DomainError("CORRUPT", `the pickle has a length of ${value} at byte ${at}`);
}

function integerFrom(bytes: Uint8Array): number | bigint {
  const digits = Buffer.from(bytes).reverse().toString("hex");
  const value = digits === "" ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${digits}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
