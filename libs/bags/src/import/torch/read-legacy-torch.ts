import { DomainError } from "@parfocal/errors";
import { elementBytesOf } from "../../safetensors/dtype.ts";
import { PickleDict, PickleList, type PickleValue, type TorchStorage } from "./pickle-values.ts";
import { readPickle } from "./read-pickle.ts";
import type { TorchFile } from "./torch-file.ts";

/** First of the five pickles of the format before PyTorch 1.6. */
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/**
 * Opens a `.pt` of the format before PyTorch 1.6: pickles of a magic number, a version, the machine, the object and the
 * storage keys, then each storage as its element count (8 bytes) and its elements.
 *
 * @throws {DomainError} As `openTorchFile`.
 */
export function readLegacyTorch(bytes: Uint8Array): TorchFile {
  const magic = readPickle(bytes);
  if (magic.value !== MAGIC_NUMBER) {
    throw new DomainError("UNSUPPORTED_FORMAT", "the file is a pickle but no .pt file of PyTorch");
  }
  const version = readPickle(bytes, magic.end);
  if (version.value !== PROTOCOL_VERSION)
    throw new DomainError("UNSUPPORTED_FORMAT", "the .pt file has an unknown version");
  const machine = readPickle(bytes, version.end);
  if (machine.value instanceof PickleDict && machine.value.entries.get("little_endian") === false) {
    throw new DomainError("UNSUPPORTED_FORMAT", "the .pt file was written on a big-endian machine");
  }
  const root = readPickle(bytes, machine.end);
  const keys = readPickle(bytes, root.end);
  const storages = readStorages(bytes, keys.end, keysFrom(keys.value), elementBytesByKey(root.storages));
  return {
    root: root.value,
    storage: ({ key }) => storages.get(key) ?? fail("the .pt file lacks the bytes of a storage"),
  };
}

function keysFrom(value: PickleValue): readonly string[] {
  const items = value instanceof PickleList ? value.items : fail("the .pt file lacks its list of storages");
  return items.map((key) =>
    typeof key === "string" || typeof key === "number" ? String(key) : fail("a storage key is no text"),
  );
}

/** The count before a storage says elements, so the dtype under which the object refers to it is needed to find the next. */
function elementBytesByKey(storages: readonly TorchStorage[]): ReadonlyMap<string, number> {
  return new Map(storages.map(({ key, dtype }) => [key, dtype ? elementBytesOf(dtype) : 1]));
}

function readStorages(
  bytes: Uint8Array,
  start: number,
  keys: readonly string[],
  elementBytes: ReadonlyMap<string, number>,
): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  let at = start;
  for (const key of keys) {
    if (at + 8 > bytes.length)
      throw new DomainError("TRUNCATED", `the .pt file ends at byte ${bytes.length}, before a storage`);
    const count = view.getBigUint64(at, true);
    const size = Number(count) * (elementBytes.get(key) ?? fail("the .pt file lists a storage that nothing refers to"));
    if (at + 8 + size > bytes.length) {
      throw new DomainError("TRUNCATED", `a storage ends at byte ${at + 8 + size}, the file at ${bytes.length}`);
    }
    storages.set(key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return storages;
}

function fail(what: string): never {
  throw new DomainError("CORRUPT", what);
}
