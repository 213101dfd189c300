import { randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ElementType, HostTensor } from "./engine-port.ts";

/** A tensor on its way between the two processes: its bytes in the message, or in a file when they are many. */
export type WireTensor =
  | HostTensor
  | { readonly dtype: ElementType; readonly shape: readonly number[]; readonly path: string };

/**
 * Bytes from which a tensor goes by file. Messages are copied on the event loop at 0.35 GB/s (128 MB hold it for 60 ms);
 * files are read and written beside it, and below 1 MiB opening them costs more than it saves.
 */
export const TRANSFER_FILE_BYTES = 2 ** 20;

/** Packs tensors for one piece of work and removes their files afterwards. */
export interface TensorPacker {
  pack(tensor: HostTensor): Promise<WireTensor>;
  dispose(): Promise<void>;
}

/** A packer that puts large tensors into files of `folder`; the same tensor twice is one file. */
export function createTensorPacker(folder: string): TensorPacker {
  const packed = new Map<HostTensor, Promise<WireTensor>>();
  return {
    pack(tensor) {
      if (tensor.data.byteLength < TRANSFER_FILE_BYTES) return Promise.resolve(tensor);
      const known = packed.get(tensor) ?? writeTensor(tensor, folder);
      packed.set(tensor, known);
      return known;
    },
    async dispose() {
      const settled = await Promise.allSettled(packed.values());
      for (const one of settled) if (one.status === "fulfilled") await discard(one.value);
    },
  };
}

/** Packs every tensor of a record. */
export async function packTensors(
  tensors: Readonly<Record<string, HostTensor>>,
  packer: TensorPacker,
): Promise<Record<string, WireTensor>> {
  const packed: Record<string, WireTensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) packed[name] = await packer.pack(tensor);
  return packed;
}

/** A tensor whose bytes begin a buffer of their own. */
type OwnedTensor = HostTensor & { readonly data: Uint8Array<ArrayBuffer> };

/** {@link unpackTensor} of a tensor that came in the message. */
export function copyTensor({ dtype, shape, data }: HostTensor): OwnedTensor {
  return { dtype, shape, data: new Uint8Array(data) };
}

/**
 * The tensor with its bytes at the beginning of a buffer of their own: typed arrays need aligned offsets, the runtime's
 * loops peel by address, and a view would keep alive the whole message it came in.
 */
export async function unpackTensor(wire: WireTensor): Promise<OwnedTensor> {
  if (!("path" in wire)) return copyTensor(wire);
  const { dtype, shape } = wire;
  const bytes = await readFile(wire.path);
  const isOwn = bytes.byteOffset === 0 && bytes.buffer.byteLength === bytes.byteLength;
  return { dtype, shape, data: isOwn ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes) };
}

/** Unpacks tensors that the other process packed, and removes their files. */
export async function takeTensors(wires: Readonly<Record<string, WireTensor>>): Promise<Record<string, HostTensor>> {
  const tensors: Record<string, HostTensor> = {};
  for (const [name, wire] of Object.entries(wires)) {
    tensors[name] = await unpackTensor(wire);
    await discard(wire);
  }
  return tensors;
}

/** Removes the files of tensors that nobody takes. One that stays is gone when the engine closes: it never throws. */
export async function discardTensors(wires: Readonly<Record<string, WireTensor>>): Promise<void> {
  await Promise.allSettled(Object.values(wires).map(discard));
}

async function writeTensor({ dtype, shape, data }: HostTensor, folder: string): Promise<WireTensor> {
  const path = join(folder, randomUUID());
  await writeFile(path, data);
  return { dtype, shape, path };
}

async function discard(wire: WireTensor): Promise<void> {
  if ("path" in wire) await rm(wire.path, { force: true });
}
