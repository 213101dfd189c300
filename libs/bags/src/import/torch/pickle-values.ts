import type { SafetensorsDtype } from "../../safetensors/dtype.ts";
import type { NumpyDtype } from "../numpy/parse-npy.ts";

/**
 * What a restricted pickle can hold. Classes of our own stand for Python's containers, so that nothing of a file ever
 * becomes a property of a JavaScript object.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleGlobal
  | TorchStorage
  | TorchTensor
  | NumpyDtypeValue
  | NumpyArray;

/** A tuple (or `torch.Size`). */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A list or set. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A dict or `OrderedDict`; keys that are no text or integer are refused when they are set. */
export class PickleDict {
  readonly entries = new Map<string | number, PickleValue>();
}

/** A name from the allow-list: stands for what it names and is never looked up. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A storage by its key; the bytes lie elsewhere in the file. */
export class TorchStorage {
  readonly key: string;
  /** Absent for untyped storages, whose tensors name their dtype. */
  readonly dtype: SafetensorsDtype | undefined;
  /** Elements (bytes when untyped). */
  readonly size: number;
  /** Elements from the start of the storage of this key: not 0 only in old files. */
  readonly offset: number;
  constructor(key: string, dtype: SafetensorsDtype | undefined, size: number, offset: number) {
    this.key = key;
    this.dtype = dtype;
    this.size = size;
    this.offset = offset;
  }
}

/** A tensor as a view of a storage; counts in elements, unchecked until it is read. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly dtype: SafetensorsDtype;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(fields: Pick<TorchTensor, "storage" | "dtype" | "offset" | "shape" | "strides">) {
    this.storage = fields.storage;
    this.dtype = fields.dtype;
    this.offset = fields.offset;
    this.shape = fields.shape;
    this.strides = fields.strides;
  }
}

/** `numpy.dtype('f4')`, whose byte order comes later with its state. */
export class NumpyDtypeValue {
  readonly kind: string;
  order = "<";
  constructor(kind: string) {
    this.kind = kind;
  }
}

/** A plain numpy array: empty until its state comes. */
export class NumpyArray {
  state?: {
    readonly shape: readonly number[];
    readonly type: NumpyDtype;
    readonly isFortran: boolean;
    readonly data: Uint8Array;
  };
}
