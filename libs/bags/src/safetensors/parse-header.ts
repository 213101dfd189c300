import { DomainError } from "@parfocal/errors";
import { elementBytesOf, isSafetensorsDtype, type SafetensorsDtype } from "./dtype.ts";
import { findDuplicateKey } from "./duplicate-keys.ts";

/** Where one tensor lies in the file. */
export interface SafetensorsTensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Everything a safetensors file says before its data. */
export interface SafetensorsHeader {
  /** Where the data begins, counted from the start of the file. */
  readonly dataOffsetBytes: number;
  /** Size that the whole file must have. */
  readonly fileBytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their data. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensorInfo>;
}

/** The longest header the format allows; the reference reader has the same bound. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * How many leading bytes of the file hold its header, read from the first eight of them.
 *
 * @throws {DomainError} TRUNCATED when fewer than 8 bytes are given; CORRUPT when the length is beyond 100 MB.
 */
export function safetensorsHeaderEnd(prefix: Uint8Array): number {
  if (prefix.length < 8) {
    throw new DomainError("TRUNCATED", `a safetensors file begins with 8 bytes of length, got ${prefix.length}`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, 8);
  const length = view.getBigUint64(0, true);
  if (length < 2n || length > BigInt(MAX_HEADER_BYTES)) {
    throw new DomainError("CORRUPT", `safetensors header length ${length} is outside 2 to ${MAX_HEADER_BYTES} bytes`);
  }
  return 8 + Number(length);
}

/**
 * Parses the header of a safetensors file from its first bytes: names, dtypes, shapes, offsets, metadata.
 *
 * `prefix` must hold at least the whole header ({@link safetensorsHeaderEnd} says how much that is). Checked: JSON, unique
 * names, known dtypes, shape times dtype equal to the extent, extents contiguous from 0 without gap or overlap.
 *
 * @throws {DomainError} TRUNCATED when the prefix ends inside the header; CORRUPT when the header breaks the format;
 * UNSUPPORTED_FORMAT when a dtype is none that Parfocal reads.
 */
export function parseSafetensorsHeader(prefix: Uint8Array): SafetensorsHeader {
  const end = safetensorsHeaderEnd(prefix);
  if (prefix.length < end) {
    throw new DomainError(
      "TRUNCATED",
      `the safetensors header ends at byte ${end} but only ${prefix.length} are there`,
    );
  }
  const { __metadata__: metadata, ...entries } = parseHeaderJson(prefix.subarray(8, end));
  const infos = Object.entries(entries).map(([name, entry]) => [name, parseTensorInfo(name, entry, end)] as const);
  infos.sort(([, a], [, b]) => a.offsetBytes - b.offsetBytes || a.lengthBytes - b.lengthBytes);
  return {
    dataOffsetBytes: end,
    fileBytes: endOfContiguous(infos, end),
    metadata: parseMetadata(metadata),
    tensors: new Map(infos),
  };
}

function parseHeaderJson(bytes: Uint8Array): Record<string, unknown> {
  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (cause) {
    throw new DomainError("CORRUPT", "the safetensors header is not UTF-8 JSON", { cause });
  }
  if (!text.startsWith("{") || !isRecord(json)) throw new DomainError("CORRUPT", "the safetensors header is no object");
  if (findDuplicateKey(text) !== undefined) {
    throw new DomainError("CORRUPT", "the safetensors header has the same key twice");
  }
  return json;
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((entry) => typeof entry === "string")) {
    throw new DomainError("CORRUPT", "safetensors metadata must map strings to strings");
  }
  return value as Record<string, string>;
}

function parseTensorInfo(name: string, entry: unknown, dataOffset: number): SafetensorsTensorInfo {
  if (!isRecord(entry)) throw new DomainError("CORRUPT", `safetensors entry ${quote(name)} is no object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = entry;
  if (Object.keys(rest).length > 0) {
    throw new DomainError("CORRUPT", `safetensors entry ${quote(name)} has an unknown field`);
  }
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw new DomainError("CORRUPT", `safetensors entry ${quote(name)} lacks a shape or two data offsets`);
  }
  if (!isSafetensorsDtype(dtype)) {
    const shown = typeof dtype === "string" ? quote(dtype) : typeof dtype;
    throw new DomainError("UNSUPPORTED_FORMAT", `safetensors entry ${quote(name)} has dtype ${shown}`);
  }
  const [begin, end] = offsets as [number, number];
  const lengthBytes = shape.reduce((product, size) => product * size, elementBytesOf(dtype));
  if (lengthBytes !== end - begin) {
    const wanted = `[${shape.join(", ")}] ${dtype} needs ${lengthBytes} bytes`;
    throw new DomainError("CORRUPT", `safetensors entry ${quote(name)}: ${wanted}, its extent has ${end - begin}`);
  }
  return { dtype, shape, offsetBytes: dataOffset + begin, lengthBytes };
}

function endOfContiguous(infos: readonly (readonly [string, SafetensorsTensorInfo])[], start: number): number {
  let end = start;
  for (const [name, info] of infos) {
    if (info.offsetBytes !== end) {
      const problem = info.offsetBytes > end ? "leaves a gap before" : "overlaps the data before";
      throw new DomainError(
        "CORRUPT",
        `safetensors entry ${quote(name)} ${problem} its offset ${info.offsetBytes - start}`,
      );
    }
    end += info.lengthBytes;
  }
  return end;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Names come from the file: keep them short and printable in messages. */
function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}
