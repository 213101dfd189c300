import { crc32, inflateRawSync } from "node:zlib";
import { DomainError } from "@parfocal/errors";
import { MAX_FEATURE_BYTES } from "../bag-limits.ts";
import { blocksOf } from "../digest.ts";

/** One file of an archive, not yet read. */
export interface ZipEntry {
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Its bytes, checksum verified: a view of the archive where they are stored plain, else inflated.
   *
   * @throws {DomainError} CORRUPT when the checksum or the size is another one; TRUNCATED when bytes are missing.
   */
  readonly read: () => Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const END_BYTES = 22;

/** Whether `bytes` begin as a zip archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL;
}

/**
 * The entries of a zip archive (also ZIP64), by name, from its central directory.
 *
 * @throws {DomainError} TRUNCATED when the end of the archive is missing; CORRUPT when the directory is damaged or names
 * two entries alike; UNSUPPORTED_FORMAT for encryption and compression methods other than deflate.
 */
export function parseZip(bytes: Uint8Array): ReadonlyMap<string, ZipEntry> {
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let { offset, count } = findDirectory(view);
  for (; count > 0; count -= 1) {
    if (offset + 46 > bytes.length || view.getUint32(offset, true) !== CENTRAL) {
      throw new DomainError("CORRUPT", `the zip directory is damaged at byte ${offset}`);
    }
    const record = parseRecord(bytes, view, offset);
    if (entries.has(record.entry.name)) throw new DomainError("CORRUPT", "the zip archive names two entries alike");
    entries.set(record.entry.name, record.entry);
    offset = record.end;
  }
  return entries;
}

function findDirectory(view: DataView): { offset: number; count: number } {
  const earliest = Math.max(0, view.byteLength - END_BYTES - 0xffff);
  for (let at = view.byteLength - END_BYTES; at >= earliest; at -= 1) {
    if (view.getUint32(at, true) !== END) continue;
    const count = view.getUint16(at + 10, true);
    const offset = view.getUint32(at + 16, true);
    return count === 0xffff || offset === 0xffffffff
      ? (findDirectory64(view, at) ?? { offset, count })
      : { offset, count };
  }
  throw new DomainError("TRUNCATED", `the zip archive of ${view.byteLength} bytes lacks its end record`);
}

function findDirectory64(view: DataView, end: number): { offset: number; count: number } | undefined {
  const locator = end - 20;
  if (locator < 0 || view.getUint32(locator, true) !== END64_LOCATOR) return undefined;
  const at = safeNumber(view.getBigUint64(locator + 8, true));
  if (at + 56 > view.byteLength || view.getUint32(at, true) !== END64) {
    throw new DomainError("CORRUPT", "the zip archive's 64-bit end record is not where it should be");
  }
  return { count: safeNumber(view.getBigUint64(at + 32, true)), offset: safeNumber(view.getBigUint64(at + 48, true)) };
}

interface EntryPlace {
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly localOffset: number;
}

function parseRecord(bytes: Uint8Array, view: DataView, at: number): { entry: ZipEntry; end: number } {
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const end = extraEnd + view.getUint16(at + 32, true);
  if (end > bytes.length)
    throw new DomainError("TRUNCATED", `the zip directory ends at byte ${end} of ${bytes.length}`);
  if ((view.getUint16(at + 8, true) & 1) !== 0)
    throw new DomainError("UNSUPPORTED_FORMAT", "the zip archive is encrypted");
  const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd));
  const place = widen(view, nameEnd, extraEnd, {
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    sizeBytes: view.getUint32(at + 24, true),
    localOffset: view.getUint32(at + 42, true),
  });
  return { entry: { name, sizeBytes: place.sizeBytes, read: () => readEntry(bytes, place) }, end };
}

/** Replaces fields that did not fit 32 bits by those of the ZIP64 extra field, which lists them in this order. */
function widen(view: DataView, from: number, to: number, place: EntryPlace): EntryPlace {
  const wide = { ...place };
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    for (const name of ["sizeBytes", "packedBytes", "localOffset"] as const) {
      if (place[name] !== 0xffffffff || field + 8 > to) continue;
      wide[name] = safeNumber(view.getBigUint64(field, true));
      field += 8;
    }
  }
  return wide;
}

function readEntry(bytes: Uint8Array, place: EntryPlace): Uint8Array {
  const packed = packedBytesOf(bytes, place);
  const data = place.method === 0 ? packed : inflate(packed, place);
  if (data.length !== place.sizeBytes || checksum(data) !== place.crc) {
    throw new DomainError("CORRUPT", `a zip entry of ${place.sizeBytes} bytes does not match its checksum`);
  }
  return data;
}

/** In blocks, as zlib counts the bytes of one call in 32 bits. */
function checksum(data: Uint8Array): number {
  let value = 0;
  for (const block of blocksOf([data], 64 * 1024 * 1024)) value = crc32(block, value);
  return value;
}

function packedBytesOf(bytes: Uint8Array, { localOffset, packedBytes }: EntryPlace): Uint8Array {
  const view = viewOf(bytes);
  if (localOffset + 30 > bytes.length || view.getUint32(localOffset, true) !== LOCAL) {
    throw new DomainError("CORRUPT", `there is no zip entry at byte ${localOffset}`);
  }
  const start = localOffset + 30 + view.getUint16(localOffset + 26, true) + view.getUint16(localOffset + 28, true);
  if (start + packedBytes > bytes.length) {
    throw new DomainError("TRUNCATED", `a zip entry ends at byte ${start + packedBytes}, the file at ${bytes.length}`);
  }
  return bytes.subarray(start, start + packedBytes);
}

function inflate(packed: Uint8Array, { method, sizeBytes }: EntryPlace): Uint8Array {
  if (method !== 8) throw new DomainError("UNSUPPORTED_FORMAT", `zip compression method ${method} is not read`);
  if (sizeBytes > MAX_FEATURE_BYTES)
    throw new DomainError("RESOURCE_EXHAUSTED", `a zip entry inflates to ${sizeBytes} bytes`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(sizeBytes, 1) });
  } catch (cause) {
    throw new DomainError("CORRUPT", "a zip entry cannot be inflated to its size", { cause });
  }
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new DomainError("CORRUPT", `the zip archive holds the offset ${value}`);
  return Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
