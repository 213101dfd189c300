import { DomainError } from "@parfocal/errors";
import { elementBytesOf } from "../../safetensors/dtype.ts";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";
import { isZip, parseZip, type ZipEntry } from "../parse-zip.ts";
import { rowMajorStrides, tensorFromStrided } from "../strided.ts";
import { swappedBytes } from "../swap-bytes.ts";
import { type NumpyArray, type TorchStorage, TorchTensor } from "./pickle-values.ts";
import { readLegacyTorch } from "./read-legacy-torch.ts";
import { readPickle } from "./read-pickle.ts";
import type { TorchFile } from "./torch-file.ts";

/**
 * Opens the bytes of a `.pt` file: the zip format of PyTorch 1.6 and later, or the one before it. Executes nothing.
 *
 * @throws {DomainError} UNSAFE_PICKLE when it holds anything but tensors and plain containers; TRUNCATED or CORRUPT when
 * it is damaged; UNSUPPORTED_FORMAT for TorchScript, big-endian files and files that are no `.pt`.
 */
export function openTorchFile(bytes: Uint8Array): TorchFile {
  return isZip(bytes) ? openTorchZip(parseZip(bytes)) : readLegacyTorch(bytes);
}

/** Opens a `.pt` whose zip directory is already read. Throws as {@link openTorchFile}. */
export function openTorchZip(entries: ReadonlyMap<string, ZipEntry>): TorchFile {
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/u.test(name));
  if (pickle === undefined)
    throw new DomainError("UNSUPPORTED_FORMAT", "the zip archive is neither a .pt nor a .npz file");
  const folder = pickle.slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`))
    throw new DomainError("UNSUPPORTED_FORMAT", "TorchScript archives are programs and are not read");
  const order = entries.get(`${folder}byteorder`)?.read();
  if (order && Buffer.from(order).toString("latin1") !== "little") {
    throw new DomainError("UNSUPPORTED_FORMAT", "the .pt file was written on a big-endian machine");
  }
  const { value } = readPickle(entryBytes(entries, pickle));
  // Many tensors may share one storage: its checksum is verified once.
  const read = new Map<string, Uint8Array>();
  const storage = ({ key }: TorchStorage): Uint8Array => {
    const bytes = read.get(key) ?? entryBytes(entries, `${folder}data/${key}`);
    read.set(key, bytes);
    return bytes;
  };
  return { root: value, storage };
}

/**
 * A tensor or numpy array of the file as row-major elements: a view where they lie so, else a copy that honours strides
 * and offset.
 *
 * @throws {DomainError} CORRUPT when it reaches beyond its storage; TRUNCATED when the storage is shorter than it says.
 */
export function tensorFromTorch(file: TorchFile, value: TorchTensor | NumpyArray): SafetensorsTensor {
  if (value instanceof TorchTensor) {
    const bytes = file.storage(value.storage);
    assertStorage(value.storage, bytes.length);
    return tensorFromStrided(bytes, value);
  }
  if (!value.state) throw new DomainError("CORRUPT", "the pickle holds a numpy array without elements");
  const { data, shape, type, isFortran } = value.state;
  const storage = type.isBigEndian ? swappedBytes(data, elementBytesOf(type.dtype)) : data;
  const strides = isFortran ? rowMajorStrides(shape.toReversed()).toReversed() : rowMajorStrides(shape);
  return tensorFromStrided(storage, { dtype: type.dtype, shape, strides, offset: 0 });
}

function assertStorage(storage: TorchStorage, actual: number): void {
  const wanted = (storage.size + storage.offset) * (storage.dtype ? elementBytesOf(storage.dtype) : 1);
  if (actual < wanted) throw new DomainError("TRUNCATED", `a storage has ${actual} of ${wanted} bytes`);
}

function entryBytes(entries: ReadonlyMap<string, ZipEntry>, name: string): Uint8Array {
  const entry = entries.get(name);
  if (!entry) throw new DomainError("CORRUPT", "the .pt file lacks the bytes of a storage");
  return entry.read();
}
