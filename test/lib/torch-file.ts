import { crc32 } from "node:zlib";

/** A tensor to write. */
export interface TorchEntry {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A tensor to write, of any type that is written. */
interface AnyEntry {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array | Float16Array | BigInt64Array;
}

/** A `.pt` file (zip of pickle and raw storages) of tensors by name, as `torch.save({root: state_dict})` lays it out. */
export function encodeTorchFile(tensors: ReadonlyMap<string, AnyEntry>, root = "model"): Uint8Array {
  const entries = [...tensors];
  const state = entries.map(([name, tensor], i) => Buffer.concat([text(name), rebuild(tensor, `${i}`)]));
  const dict = Buffer.concat([op("}("), ...state, op("u")]);
  const pickle = Buffer.concat([Buffer.from([0x80, 2]), op("}("), text(root), dict, op("u.")]);
  const storages = entries.map(([, { values }], i): [string, Uint8Array] => [
    `archive/data/${i}`,
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  ]);
  return encodeZip([["archive/data.pkl", pickle], ...storages, ["archive/version", op("3\n")]]);
}

/** A call of torch's rebuilding function on a storage, contiguous. */
function rebuild({ shape, values }: AnyEntry, key: string): Buffer {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const storage = [text("storage"), op(`ctorch\n${storageOf(values)}\n`), text(key), text("cpu"), int(values.length)];
  return Buffer.concat([
    op("ctorch._utils\n_rebuild_tensor_v2\n("),
    Buffer.concat([op("("), ...storage, op("tQ")]),
    int(0),
    tuple(shape),
    tuple(strides),
    Buffer.from([0x89]),
    op("ccollections\nOrderedDict\n)RtR"),
  ]);
}

function storageOf(values: AnyEntry["values"]): string {
  if (values instanceof Float64Array) return "DoubleStorage";
  if (values instanceof BigInt64Array) return "LongStorage";
  return values instanceof Float32Array ? "FloatStorage" : "HalfStorage";
}

function tuple(numbers: readonly number[]): Buffer {
  return Buffer.concat([op("("), ...numbers.map(int), op("t")]);
}

function op(codes: string): Buffer {
  return Buffer.from(codes, "latin1");
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.alloc(5, "X");
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(5, "J");
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** A zip archive of stored (uncompressed) files. */
export function encodeZip(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const local = Buffer.concat([fields(0x04034b50, name, bytes, 26), Buffer.from(name), bytes]);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    fields(0x04034b50, name, bytes, 26).copy(central, 6, 4);
    central.writeUInt32LE(offset, 42);
    locals.push(local);
    centrals.push(Buffer.concat([central, Buffer.from(name)]));
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** A local file header: signature, version, no flags, stored, no time, checksum, sizes, length of the name. */
function fields(signature: number, name: string, bytes: Uint8Array, nameAt: number): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(signature, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt32LE(crc32(bytes), 14);
  header.writeUInt32LE(bytes.length, 18);
  header.writeUInt32LE(bytes.length, 22);
  header.writeUInt16LE(Buffer.byteLength(name), nameAt);
  return header;
}
