import { DomainError, isDomainError } from "@parfocal/errors";
import type * as H5 from "h5wasm";
import { elementBytesOf, type SafetensorsDtype } from "../../safetensors/dtype.ts";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";

/** An attribute as far as importers need it. */
export type H5Attribute = string | number;

/** A numeric array of an HDF5 file, described but not yet read. */
export interface H5Array {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Text or one number; nothing when it is absent or anything else. */
  readonly attribute: (name: string) => H5Attribute | undefined;
  /** Reads all elements, row-major. May be asked for only after the shape was found acceptable: it allocates. */
  readonly read: () => SafetensorsTensor;
}

/** An open HDF5 file. Valid inside {@link withH5File} only. */
export interface H5File {
  readonly names: readonly string[];
  readonly attribute: (name: string) => H5Attribute | undefined;
  /**
   * The array of that name at the root.
   *
   * @throws {DomainError} UNSUPPORTED_FORMAT when it is a group, a link to another file, or holds no plain numbers.
   */
  readonly array: (name: string) => H5Array;
}

type H5Module = Awaited<typeof H5.ready>;

/** Bytes per read: the library's heap never shrinks, so it is kept small. */
const BLOCK_BYTES = 8 * 1024 * 1024;

/** Best ratio of deflate; a file that claims more would be filled up with zeros it does not hold. */
const MAX_EXPANSION = 1_100;
const EXPANSION_SLACK_BYTES = 16 * 1024 * 1024;

/**
 * Opens the bytes of an HDF5 file in memory, gives it to `use`, closes it. The library sees no file system but this one
 * file, so links and external storage of a hostile file lead nowhere. Numbers come little-endian whatever the file has.
 *
 * @throws {DomainError} TRUNCATED or CORRUPT for whatever the library reports; what `use` throws.
 */
export async function withH5File<T>(bytes: Uint8Array, use: (file: H5File) => T): Promise<T> {
  // Four megabytes of WebAssembly, wanted only by those who import HDF5.
  const { h5wasm } = await import("h5wasm");
  const module = await h5wasm.ready;
  const complaints = collectComplaints(module);
  const name = "/source.h5";
  // `canOwn`: the file system keeps this very buffer, a copy of a large file would be dear.
  module.FS.writeFile(name, bytes, { canOwn: true } as Parameters<typeof module.FS.writeFile>[2]);
  let file: H5.File | undefined;
  try {
    file = new h5wasm.File(name, "r");
    if (file.file_id < 0n) throw new Error("the file cannot be opened");
    const result = use(describeFile(h5wasm, module, file, bytes));
    // Some calls of the library report damage on its error stream only and go on with zeros.
    if (complaints.length > 0) throw new Error("the library complained");
    return result;
  } catch (error) {
    throw errorFromH5(error, complaints.join(""));
  } finally {
    closeQuietly(file);
    module.FS.unlink(name);
  }
}

/** Enough of the library's report to tell what is wrong. */
const MAX_COMPLAINTS = 1_000;

/** Turns the library's error stream, which would go to the terminal, into a list that is filled while it works. */
function collectComplaints(module: H5Module): readonly string[] {
  const complaints: string[] = [];
  const { FS } = module as unknown as { FS: { getStream: (fd: number) => { stream_ops: object } } };
  const write = (_stream: unknown, heap: Uint8Array, offset: number, length: number): number => {
    if (complaints.length < MAX_COMPLAINTS)
      complaints.push(Buffer.from(heap.subarray(offset, offset + length)).toString());
    return length;
  };
  FS.getStream(2).stream_ops = { write };
  return complaints;
}

/** The library's error as ours; its own text goes to the log only. */
function errorFromH5(error: unknown, complaints: string): DomainError {
  if (isDomainError(error)) return error;
  const cause = new Error(complaints.slice(0, 4_000), { cause: error });
  const text = `${String(error)} ${complaints}`;
  return /truncated|addr overflow|end of file|file read failed|eof/iu.test(text)
    ? new DomainError("TRUNCATED", "the HDF5 file ends before its data", { cause })
    : new DomainError("CORRUPT", "the HDF5 file is damaged or uses what this reader does not know", { cause });
}

/** A file that could not be opened or read well may fail to close, too; the first error is the one to tell. */
function closeQuietly(file: H5.File | undefined): void {
  try {
    file?.close();
  } catch {
    // Told already.
  }
}

function describeFile(library: typeof H5.h5wasm, module: H5Module, file: H5.File, bytes: Uint8Array): H5File {
  const { Dataset } = library;
  return {
    names: file.keys(),
    attribute: (name) => attributeOf(file, name),
    array: (name) => {
      const entity = file.get(name);
      if (!(entity instanceof Dataset)) throw unsupported("is a group or a link to another file");
      return describeArray({ module, dataset: entity, bytes });
    },
  };
}

interface ArraySource {
  readonly module: H5Module;
  readonly dataset: H5.Dataset;
  /** The whole file. */
  readonly bytes: Uint8Array;
}

/**
 * How a file describes the type bfloat16: sign bit, size, bit offset, precision, place and width of exponent and mantissa,
 * bias. Half precision differs in the last eight bytes. The library tells size and class alone.
 */
const BFLOAT16 = Buffer.from("0f00" + "02000000" + "00001000" + "07080007" + "7f000000", "hex");

function describeArray(source: ArraySource): H5Array {
  const { bytes, dataset } = source;
  const { metadata } = dataset;
  if (metadata.virtual_sources !== undefined) throw unsupported("is assembled from other files");
  const dtype = dtypeOf(metadata);
  if (dtype === "F16" && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(BFLOAT16)) {
    throw unsupported("may hold bfloat16, which its reader cannot tell from half precision");
  }
  const shape = metadata.shape ?? [];
  const attribute = (name: string) => attributeOf(dataset, name);
  return { dtype, shape, attribute, read: () => readArray(source, dtype, shape) };
}

function dtypeOf({ type, size, signed, vlen }: H5.Dataset["metadata"]): SafetensorsDtype {
  const name = type === 1 ? `F${size * 8}` : type === 0 ? `${signed ? "I" : "U"}${size * 8}` : "";
  const known = ["F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"] as const;
  const dtype = known.find((candidate) => candidate === name);
  if (dtype === undefined || vlen) throw unsupported(`holds no plain numbers (class ${type}, ${size} bytes)`);
  return dtype;
}

function readArray(source: ArraySource, dtype: SafetensorsDtype, shape: readonly number[]): SafetensorsTensor {
  const elementBytes = elementBytesOf(dtype);
  const nBytes = shape.reduce((product, size) => product * size, elementBytes);
  if (!(nBytes <= source.bytes.length * MAX_EXPANSION + EXPANSION_SLACK_BYTES)) {
    const claim = `an array claims ${nBytes} bytes`;
    throw new DomainError("CORRUPT", `${claim}, more than a file of ${source.bytes.length} bytes can hold`);
  }
  const data = new Uint8Array(nBytes);
  if (nBytes > 0) readInto(data, source, shape);
  return { dtype, shape, data };
}

/** Reads whole chunks at a time: a compressed chunk that is read in two pieces is inflated twice. */
function readInto(data: Uint8Array, source: ArraySource, shape: readonly number[]): void {
  const [nRows = 1, ...rest] = shape;
  const rowBytes = data.length / nRows;
  const chunkRows = Math.max(1, source.dataset.metadata.chunks?.[0] ?? 1);
  const blockRows = Math.max(chunkRows, Math.floor(BLOCK_BYTES / rowBytes / chunkRows) * chunkRows, 1);
  for (let row = 0; row < nRows; row += blockRows) {
    const count = Math.min(blockRows, nRows - row);
    readRows(data.subarray(row * rowBytes, (row + count) * rowBytes), source, row, [count, ...rest]);
  }
}

function readRows(to: Uint8Array, { module, dataset }: ArraySource, row: number, counts: readonly number[]): void {
  const pointer = module._malloc(to.length);
  if (pointer === 0) throw new DomainError("RESOURCE_EXHAUSTED", `no memory for a chunk of ${to.length} bytes`);
  try {
    const [count, offset, stride] = [
      counts.map(BigInt),
      counts.map((_, axis) => BigInt(axis === 0 ? row : 0)),
      counts.map(() => 1n),
    ];
    const status = module.get_dataset_data(dataset.file_id, dataset.path, count, offset, stride, BigInt(pointer));
    if (status < 0) throw new DomainError("CORRUPT", `rows from ${row} on cannot be read from the HDF5 file`);
    to.set(module.HEAPU8.subarray(pointer, pointer + to.length));
  } finally {
    module._free(pointer);
  }
}

function attributeOf(entity: H5.Group | H5.Dataset, name: string): H5Attribute | undefined {
  const { attrs } = entity;
  return Object.hasOwn(attrs, name) ? scalarFrom(attrs[name]?.value) : undefined;
}

/** Text and single numbers; numpy scalars may come as arrays of one element. */
function scalarFrom(value: unknown): H5Attribute | undefined {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  const isArray = Array.isArray(value) || ArrayBuffer.isView(value);
  const items = isArray ? (value as unknown as ArrayLike<unknown>) : [];
  return items.length === 1 ? scalarFrom(items[0]) : undefined;
}

function unsupported(what: string): DomainError {
  return new DomainError("UNSUPPORTED_FORMAT", `an array of the HDF5 file ${what}`);
}
