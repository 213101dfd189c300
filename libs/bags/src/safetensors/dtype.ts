/** Bytes of one element of every safetensors dtype that Parfocal reads. Packed sub-byte types are left out on purpose. */
const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** A dtype of the safetensors format, by its published name. */
export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** Whether `name` is a dtype that Parfocal reads. */
export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === "string" && Object.hasOwn(ELEMENT_BYTES, name);
}

/** Bytes of one element of `dtype`. */
export function elementBytesOf(dtype: SafetensorsDtype): number {
  return ELEMENT_BYTES[dtype];
}
