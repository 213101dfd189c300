import { DomainError } from "@parfocal/errors";
import { elementBytesOf, type SafetensorsDtype } from "./dtype.ts";

/** A tensor to be written: `data` holds its little-endian elements, row-major; any typed array will do. */
export interface SafetensorsInput {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** What a header tells of a tensor. */
export type TensorShape = Pick<SafetensorsInput, "dtype" | "shape">;

/** The header is padded with spaces so that the data begins here: every element type can then be viewed in place. */
const DATA_ALIGNMENT_BYTES = 64;

/**
 * Encodes tensors as one safetensors file. Deterministic: the same tensors and metadata give the same bytes, whatever
 * order they come in. Wide dtypes lie before narrow ones, then by name, so every tensor is aligned to its own elements
 * (the format forbids gaps between tensors).
 *
 * @throws {DomainError} SHAPE_MISMATCH when a tensor's bytes are not shape times dtype; INVALID_ARGUMENT for the reserved
 * name `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const parts = encodeSafetensorsParts(tensors, metadata);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * The same file as {@link encodeSafetensors} in pieces (header first), where each tensor is a view of its input: for
 * hashing and uploading without a second copy.
 *
 * @throws {DomainError} As {@link encodeSafetensors}.
 */
export function encodeSafetensorsParts(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] {
  for (const [name, tensor] of tensors) assertTensor(name, tensor);
  const { header, order } = encodeSafetensorsHeader(tensors, metadata);
  return [header, ...order.map((name) => bytesOf((tensors.get(name) as SafetensorsInput).data))];
}

/** What {@link encodeSafetensorsHeader} gives. */
export interface EncodedHeader {
  /** The file's first bytes. */
  readonly header: Uint8Array;
  /** Names of the tensors in the order in which their data follow. */
  readonly order: readonly string[];
}

/** The header of the same file as {@link encodeSafetensors}, from dtypes and shapes alone: for data that are streamed. */
export function encodeSafetensorsHeader(
  tensors: ReadonlyMap<string, TensorShape>,
  metadata: Readonly<Record<string, string>>,
): EncodedHeader {
  const ordered = [...tensors].sort(compareTensors);
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header.__metadata__ = sortedRecord(metadata);
  let offset = 0;
  for (const [name, { dtype, shape }] of ordered) {
    const end = offset + bytesOfShape({ dtype, shape });
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  return { header: encodeHeader(header), order: ordered.map(([name]) => name) };
}

function bytesOfShape({ dtype, shape }: TensorShape): number {
  return shape.reduce((product, size) => product * size, elementBytesOf(dtype));
}

function compareTensors(a: readonly [string, TensorShape], b: readonly [string, TensorShape]): number {
  return elementBytesOf(b[1].dtype) - elementBytesOf(a[1].dtype) || compareText(a[0], b[0]);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortedRecord(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => compareText(a, b)));
}

function assertTensor(name: string, tensor: SafetensorsInput): void {
  if (name === "__metadata__") throw new DomainError("INVALID_ARGUMENT", "a tensor cannot be named __metadata__");
  const wanted = bytesOfShape(tensor);
  if (wanted !== tensor.data.byteLength) {
    const shape = `[${tensor.shape.join(", ")}] ${tensor.dtype}`;
    throw new DomainError("SHAPE_MISMATCH", `${shape} needs ${wanted} bytes, got ${tensor.data.byteLength}`);
  }
}

function encodeHeader(header: Record<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const end = Math.ceil((8 + json.length) / DATA_ALIGNMENT_BYTES) * DATA_ALIGNMENT_BYTES;
  const bytes = new Uint8Array(end).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(end - 8), true);
  bytes.set(json, 8);
  return bytes;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
