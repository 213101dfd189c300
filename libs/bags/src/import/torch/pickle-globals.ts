import type { SafetensorsDtype } from "../../safetensors/dtype.ts";

/** Storage classes and what their elements are; the CUDA twins hold the same bytes. */
const STORAGE_DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** Element types by their name in the `torch` module, used with untyped storages. */
const TORCH_DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  "torch.float32": "F32",
  "torch.float64": "F64",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.uint16": "U16",
  "torch.uint32": "U32",
  "torch.uint64": "U64",
  "torch.bool": "BOOL",
  "torch.float8_e4m3fn": "F8_E4M3",
  "torch.float8_e5m2": "F8_E5M2",
};

/** What may be called, by what it builds. Every name beyond these tables is refused where it stands. */
const CALLABLES = {
  "collections.OrderedDict": "ordered_dict",
  "torch.Size": "size",
  "torch._utils._rebuild_tensor": "tensor",
  "torch._utils._rebuild_tensor_v2": "tensor",
  "torch._utils._rebuild_tensor_v3": "typed_tensor",
  "torch._utils._rebuild_parameter": "parameter",
  "torch._utils._rebuild_parameter_with_state": "parameter",
  "numpy.core.multiarray._reconstruct": "array",
  "numpy._core.multiarray._reconstruct": "array",
  "numpy.core.multiarray.scalar": "scalar",
  "numpy._core.multiarray.scalar": "scalar",
  "numpy.dtype": "dtype",
  "_codecs.encode": "encode",
} as const;

/** What an allowed callable builds. */
export type CallableKind = (typeof CALLABLES)[keyof typeof CALLABLES];

/** Names that are only ever arguments. */
const PASSIVE: ReadonlySet<string> = new Set(["numpy.ndarray", "torch.storage.UntypedStorage"]);

/** Whether a pickle may name this global at all. */
export function isAllowedGlobal(name: string): boolean {
  return (
    PASSIVE.has(name) ||
    callableKind(name) !== undefined ||
    torchDtype(name) !== undefined ||
    storageDtype(name) !== undefined
  );
}

/** What calling this global builds; nothing when it may not be called. */
export function callableKind(name: string): CallableKind | undefined {
  return Object.hasOwn(CALLABLES, name) ? CALLABLES[name as keyof typeof CALLABLES] : undefined;
}

/** Element type of `torch.float32` and its like. */
export function torchDtype(name: string): SafetensorsDtype | undefined {
  return Object.hasOwn(TORCH_DTYPES, name) ? TORCH_DTYPES[name] : undefined;
}

/** Element type of a typed storage class such as `torch.FloatStorage`. */
export function storageDtype(name: string): SafetensorsDtype | undefined {
  const kind = /^torch\.(?:cuda\.)?(\w+)$/u.exec(name)?.[1];
  return kind !== undefined && Object.hasOwn(STORAGE_DTYPES, kind) ? STORAGE_DTYPES[kind] : undefined;
}
