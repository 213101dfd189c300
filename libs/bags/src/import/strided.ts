import { DomainError } from "@parfocal/errors";
import { elementBytesOf } from "../safetensors/dtype.ts";
import { alignedTo, type SafetensorsTensor } from "../safetensors/parse-safetensors.ts";

/** A view of a storage: sizes and steps in elements. */
export interface StridedView {
  readonly dtype: SafetensorsTensor["dtype"];
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A view may repeat elements (stride 0); beyond its storage it may do so up to here, or a small file could ask for terabytes. */
const MAX_EXPANDED_BYTES = 64 * 1024 * 1024;

/** Row-major strides of `shape`, in elements. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis -= 1) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/**
 * The elements that a view selects, row-major: a view of `storage` when they lie so already, else a gathered copy.
 *
 * @throws {DomainError} CORRUPT when sizes, strides or offset are no counts or the view reaches beyond the storage;
 * RESOURCE_EXHAUSTED when repeated elements would need more than 64 MiB beyond the storage.
 */
export function tensorFromStrided(storage: Uint8Array, view: StridedView): SafetensorsTensor {
  const { dtype, shape, strides, offset } = view;
  const elementBytes = elementBytesOf(dtype);
  assertInside(view, Math.floor(storage.length / elementBytes));
  const n = shape.reduce((product, size) => product * size, 1);
  if (n * elementBytes > storage.length + MAX_EXPANDED_BYTES) {
    throw new DomainError(
      "RESOURCE_EXHAUSTED",
      `a view of ${n * elementBytes} bytes repeats a storage of ${storage.length}`,
    );
  }
  if (n === 0) return { dtype, shape, data: new Uint8Array() };
  const start = offset * elementBytes;
  if (isRowMajor(shape, strides)) return { dtype, shape, data: storage.subarray(start, start + n * elementBytes) };
  return { dtype, shape, data: gather(storage, view, n, elementBytes) };
}

function assertInside(view: StridedView, nStored: number): void {
  const { shape, strides, offset } = view;
  const counts = [...shape, ...strides, offset];
  if (shape.length !== strides.length || !counts.every((count) => Number.isSafeInteger(count) && count >= 0)) {
    throw new DomainError("CORRUPT", "a tensor has sizes, strides or an offset that are no counts");
  }
  if (shape.includes(0)) return;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (!(last < nStored)) {
    throw new DomainError("CORRUPT", `a tensor reaches element ${last} of a storage of ${nStored}`);
  }
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  const wanted = rowMajorStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === wanted[axis]);
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

function wordsOf(bytes: Uint8Array, elementBytes: number): Words {
  const { buffer, byteOffset, byteLength } = alignedTo(bytes, elementBytes);
  const length = Math.floor(byteLength / elementBytes);
  if (elementBytes === 8) return new BigUint64Array(buffer, byteOffset, length);
  if (elementBytes === 4) return new Uint32Array(buffer, byteOffset, length);
  return elementBytes === 2 ? new Uint16Array(buffer, byteOffset, length) : new Uint8Array(buffer, byteOffset, length);
}

function gather(storage: Uint8Array, view: StridedView, n: number, elementBytes: number): Uint8Array {
  const out = new Uint8Array(n * elementBytes);
  // One signature for four array types: elements are only moved, never computed with.
  const to = wordsOf(out, elementBytes) as Uint32Array;
  gatherInto(to, wordsOf(storage, elementBytes) as Uint32Array, view);
  return out;
}

function gatherInto(to: Uint32Array, from: Uint32Array, { shape, strides, offset }: StridedView): void {
  const inner = shape.length - 1;
  const [size, stride] = [shape[inner] ?? 1, strides[inner] ?? 0];
  const index = new Array<number>(Math.max(inner, 0)).fill(0);
  let at = offset;
  for (let out = 0; out < to.length; out += size) {
    for (let column = 0; column < size; column += 1) to[out + column] = from[at + column * stride] as number;
    for (let axis = inner - 1; axis >= 0; axis -= 1) {
      index[axis] = (index[axis] ?? 0) + 1;
      at += strides[axis] ?? 0;
      if (index[axis] !== shape[axis]) break;
      at -= (shape[axis] ?? 0) * (strides[axis] ?? 0);
      index[axis] = 0;
    }
  }
}
