import { DomainError } from "@parfocal/errors";
import { elementBytesOf, type SafetensorsDtype } from "../../safetensors/dtype.ts";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";
import { rowMajorStrides, tensorFromStrided } from "../strided.ts";
import { swappedBytes } from "../swap-bytes.ts";

const MAGIC = "\u0093NUMPY";

/** Element types by kind and bytes, as in `<f4`. */
const DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  f2: "F16",
  f4: "F32",
  f8: "F64",
  i1: "I8",
  i2: "I16",
  i4: "I32",
  i8: "I64",
  u1: "U8",
  u2: "U16",
  u4: "U32",
  u8: "U64",
  b1: "BOOL",
};

/** An element type of numpy. */
export interface NumpyDtype {
  readonly dtype: SafetensorsDtype;
  readonly isBigEndian: boolean;
}

/** Whether `bytes` begin as a `.npy` file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, 6)) === MAGIC;
}

/**
 * Parses a `.npy` file (format 1, 2 or 3; C or Fortran order; either byte order) to a row-major tensor, a view where
 * the file has it so.
 *
 * @throws {DomainError} TRUNCATED or CORRUPT when the file is damaged; UNSUPPORTED_FORMAT for structured and other
 * element types; UNSAFE_PICKLE when it holds Python objects.
 */
export function parseNpy(bytes: Uint8Array): SafetensorsTensor {
  const { header, dataOffset } = splitHeader(bytes);
  const { descr, isFortran, shape } = parseDescription(header);
  const { dtype, isBigEndian } = numpyDtypeFrom(descr);
  const wanted = shape.reduce((product, size) => product * size, elementBytesOf(dtype));
  const data = bytes.subarray(dataOffset);
  if (data.length < wanted) throw new DomainError("TRUNCATED", `the array has ${data.length} of ${wanted} bytes`);
  if (data.length > wanted) throw new DomainError("CORRUPT", `${data.length - wanted} bytes follow the array`);
  const storage = isBigEndian ? swappedBytes(data, elementBytesOf(dtype)) : data;
  const strides = isFortran ? rowMajorStrides(shape.toReversed()).toReversed() : rowMajorStrides(shape);
  return tensorFromStrided(storage, { dtype, shape, strides, offset: 0 });
}

/**
 * The element type that a numpy description such as `<f4` means.
 *
 * @throws {DomainError} UNSAFE_PICKLE for objects; UNSUPPORTED_FORMAT for what else is no plain number.
 */
export function numpyDtypeFrom(descr: string): NumpyDtype {
  const [, order, kind] = /^([<>=|]?)([a-zA-Z]\d*)$/u.exec(descr) ?? [];
  if (kind?.startsWith("O"))
    throw new DomainError("UNSAFE_PICKLE", "the array holds Python objects, only numbers are read");
  const dtype = kind === undefined ? undefined : DTYPES[kind];
  if (dtype === undefined) {
    throw new DomainError("UNSUPPORTED_FORMAT", `arrays of ${JSON.stringify(descr.slice(0, 40))} are not read`);
  }
  return { dtype, isBigEndian: order === ">" };
}

function splitHeader(bytes: Uint8Array): { header: string; dataOffset: number } {
  if (!isNpy(bytes)) throw new DomainError("CORRUPT", "the file does not begin as a .npy file does");
  const major = bytes[6];
  if (major !== undefined && (major < 1 || major > 3)) {
    throw new DomainError("UNSUPPORTED_FORMAT", `.npy format ${major} is none of 1, 2, 3`);
  }
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start)
    throw new DomainError("TRUNCATED", `the .npy header needs ${start} bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const dataOffset = start + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes.length < dataOffset) {
    throw new DomainError("TRUNCATED", `the .npy header ends at byte ${dataOffset}, the file at ${bytes.length}`);
  }
  // Beyond this a header describes a structure, and the pattern below should not be run over megabytes.
  if (dataOffset > 65_536)
    throw new DomainError("UNSUPPORTED_FORMAT", `a .npy header of ${dataOffset} bytes is no plain array`);
  return { header: latin1(bytes.subarray(start, dataOffset)), dataOffset };
}

function parseDescription(header: string): { descr: string; isFortran: boolean; shape: readonly number[] } {
  const fields = header.trim();
  const descr = /'descr'\s*:\s*'([^']*)'/u.exec(fields)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/u.exec(fields)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d, L]*)\)/u.exec(fields)?.[1];
  if (/'descr'\s*:\s*\[/u.test(fields)) throw new DomainError("UNSUPPORTED_FORMAT", "structured arrays are not read");
  if (!fields.startsWith("{") || !fields.endsWith("}") || descr === undefined || !order || sizes === undefined) {
    throw new DomainError("CORRUPT", "the .npy header lacks descr, fortran_order or shape");
  }
  const shape = [...sizes.matchAll(/\d+/gu)].map(([digits]) => Number(digits));
  if (!shape.every(Number.isSafeInteger)) throw new DomainError("CORRUPT", "the .npy shape is no list of counts");
  return { descr, isFortran: order === "True", shape };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
