import { DomainError } from "@parfocal/errors";
import { elementBytesOf, type SafetensorsDtype } from "../../safetensors/dtype.ts";
import { numpyDtypeFrom } from "../numpy/parse-npy.ts";
import { rowMajorStrides } from "../strided.ts";
import { callableKind, storageDtype, torchDtype } from "./pickle-globals.ts";
import {
  NumpyArray,
  NumpyDtypeValue,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleTuple,
  type PickleValue,
  TorchStorage,
  TorchTensor,
} from "./pickle-values.ts";

/**
 * What calling an allowed global with these arguments builds. Nothing is executed: each kind is assembled here.
 *
 * @throws {DomainError} UNSAFE_PICKLE when `callee` is no allowed callable; CORRUPT when the arguments do not fit it.
 */
export function buildCall(
  callee: PickleValue | undefined,
  args: PickleValue | undefined,
  position: number,
): PickleValue {
  const kind = callee instanceof PickleGlobal ? callableKind(callee.name) : undefined;
  if (kind === undefined || !(args instanceof PickleTuple)) throw unsafeCall(callee, position);
  const [first, second] = args.items;
  switch (kind) {
    case "ordered_dict":
      return dictFromPairs(first);
    case "size":
      return first instanceof PickleTuple ? first : fail("torch.Size without a tuple");
    case "tensor":
    case "typed_tensor":
      return tensorFrom(args.items, kind === "typed_tensor");
    case "parameter":
      return first instanceof TorchTensor ? first : fail("a parameter without a tensor");
    case "array":
      return new NumpyArray();
    case "scalar":
      return scalarFrom(first, second);
    case "dtype":
      return typeof first === "string" ? new NumpyDtypeValue(first) : fail("a numpy dtype without a name");
    case "encode":
      // Python 3 writes bytes in old protocols as latin-1 text to be encoded.
      if (typeof first !== "string" || second !== "latin1") return fail("text to be encoded in something but latin1");
      return new Uint8Array(Buffer.from(first, "latin1"));
  }
}

/**
 * Gives an object its state: the elements of a numpy array, the byte order of a numpy dtype. The extra attributes of an
 * ordered dict (torch keeps version numbers there) are dropped.
 *
 * @throws {DomainError} UNSAFE_PICKLE for any other object; CORRUPT when the state does not fit.
 */
export function applyState(target: PickleValue | undefined, state: PickleValue | undefined, position: number): void {
  if (target instanceof PickleDict) return;
  const items = state instanceof PickleTuple ? state.items : [];
  if (target instanceof NumpyDtypeValue) {
    if (typeof items[1] !== "string") fail("a numpy dtype without a byte order");
    target.order = items[1] as string;
  } else if (target instanceof NumpyArray) target.state = arrayState(items);
  else
    throw new DomainError(
      "UNSAFE_PICKLE",
      `the pickle sets the state of an object at byte ${position}; only tensors are read`,
    );
}

/**
 * The storage that a persistent id of torch stands for.
 *
 * @throws {DomainError} UNSAFE_PICKLE when it is no such id; CORRUPT when its fields do not fit.
 */
export function storageFromId(id: PickleValue | undefined, position: number): TorchStorage {
  const items = id instanceof PickleTuple ? id.items : [];
  const [kind, type, key, , size, view] = items;
  if (kind !== "storage" || !(type instanceof PickleGlobal)) {
    throw new DomainError("UNSAFE_PICKLE", `the pickle refers to something but a storage at byte ${position}`);
  }
  const dtype = storageDtype(type.name);
  if (dtype === undefined && type.name !== "torch.storage.UntypedStorage") throw unsafeCall(type, position);
  if (typeof key !== "string" && typeof key !== "number") return fail("a storage without a key");
  const offset = view instanceof PickleTuple ? countFrom(view.items[1]) : 0;
  return new TorchStorage(String(key), dtype, countFrom(size), offset);
}

function tensorFrom(items: readonly PickleValue[], isTyped: boolean): TorchTensor {
  const [storage, offset, shape, strides] = items;
  assertNoFlags(items[isTyped ? 7 : 6]);
  if (!(storage instanceof TorchStorage)) return fail("a tensor without a storage");
  const named = isTyped && items[6] instanceof PickleGlobal ? torchDtype(items[6].name) : undefined;
  const dtype = named ?? storage.dtype;
  if (dtype === undefined) return fail("a tensor whose element type is not known");
  const view = { shape: countsFrom(shape), strides: countsFrom(strides), offset: countFrom(offset) + storage.offset };
  return new TorchTensor({ storage, dtype, ...view });
}

/** Torch marks views that it negates or conjugates when they are read: the storage alone holds other values. */
function assertNoFlags(flags: PickleValue | undefined): void {
  const entries = flags instanceof PickleDict ? [...flags.entries] : [];
  const names = entries.filter(([, value]) => value === true).map(([name]) => String(name).slice(0, 20));
  if (names.length === 0) return;
  const problem = `a tensor is a view that torch changes when it is read (${names.join(", ")})`;
  throw new DomainError("UNSUPPORTED_FORMAT", `${problem}: save it after resolve_neg() and resolve_conj()`);
}

/** A number of numpy's, such as a metric that is kept beside weights: an array without axes. */
function scalarFrom(type: PickleValue | undefined, data: PickleValue | undefined): NumpyArray {
  const array = new NumpyArray();
  array.state = arrayState([1, new PickleTuple([]), type ?? null, false, data ?? null]);
  return array;
}

function arrayState(items: readonly PickleValue[]): NonNullable<NumpyArray["state"]> {
  const [, sizes, type, isFortran, data] = items;
  if (!(type instanceof NumpyDtypeValue)) return fail("a numpy array without an element type");
  if (!(data instanceof Uint8Array)) {
    throw new DomainError("UNSAFE_PICKLE", "the pickle holds a numpy array of objects, only numbers are read");
  }
  const order = type.order === ">" ? ">" : "<";
  const shape = countsFrom(sizes);
  const numpy = numpyDtypeFrom(`${order}${type.kind.replace(/^[<>=|]/u, "")}`);
  assertBytes(shape, numpy.dtype, data.length);
  return { shape, type: numpy, isFortran: isFortran === true, data };
}

function assertBytes(shape: readonly number[], dtype: SafetensorsDtype, actual: number): void {
  const wanted = (rowMajorStrides(shape)[0] ?? 1) * (shape[0] ?? 1) * elementBytesOf(dtype);
  if (wanted !== actual) fail(`a numpy array of ${actual} bytes whose shape needs ${wanted}`);
}

function dictFromPairs(pairs: PickleValue | undefined): PickleDict {
  const dict = new PickleDict();
  if (pairs === undefined) return dict;
  const items = pairs instanceof PickleList ? pairs.items : fail("an ordered dict that is made of no list");
  for (const pair of items) {
    const [key, value] = pair instanceof PickleTuple || pair instanceof PickleList ? pair.items : [];
    setEntry(dict, key, value);
  }
  return dict;
}

/**
 * Sets an entry of a dict.
 *
 * @throws {DomainError} CORRUPT when the key is no text or integer or the value is missing.
 */
export function setEntry(dict: PickleDict, key: PickleValue | undefined, value: PickleValue | undefined): void {
  if ((typeof key !== "string" && typeof key !== "number") || value === undefined)
    fail("a dict with a key that is no text or integer");
  else dict.entries.set(key, value);
}

function countsFrom(value: PickleValue | undefined): readonly number[] {
  const items =
    value instanceof PickleTuple || value instanceof PickleList ? value.items : fail("a tensor without sizes");
  return items.map(countFrom);
}

function countFrom(value: PickleValue | undefined): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail("a size that is no count");
}

function unsafeCall(callee: PickleValue | undefined, position: number): DomainError {
  const what = callee instanceof PickleGlobal ? callee.name : "something that is no function";
  return new DomainError(
    "UNSAFE_PICKLE",
    `the pickle calls ${what} at byte ${position}; only tensors and containers are read`,
  );
}

function fail(what: string): never {
  throw new DomainError("CORRUPT", `the pickle holds ${what}`);
}
