import { crc32, deflateRawSync } from "node:zlib";
import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { parseZip } from "../parse-zip.ts";
import { float64FromTensor } from "../tensor-values.ts";
import { parseNpy } from "./parse-npy.ts";
import { isNpz, parseNpzArray } from "./parse-npz.ts";

interface NpyOptions {
  readonly descr?: string;
  readonly isFortran?: boolean;
  readonly version?: 1 | 2 | 3;
}

/** A `.npy` file as numpy writes it. */
function npy(
  shape: readonly number[],
  data: ArrayBufferView,
  { descr = "<f4", isFortran = false, version = 1 }: NpyOptions = {},
) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': ${isFortran ? "True" : "False"}, 'shape': (${sizes}), }`;
  const start = version === 1 ? 10 : 12;
  const header = text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1).concat("\n");
  const head = Buffer.alloc(start);
  head.write("\x93NUMPY", "latin1");
  head[6] = version;
  if (version === 1) head.writeUInt16LE(header.length, 8);
  else head.writeUInt32LE(header.length, 8);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Buffer.concat([head, Buffer.from(header, "latin1"), body]));
}

/** A zip archive of one deflated entry. */
function zipOf(name: string, content: Uint8Array): Uint8Array {
  const packed = deflateRawSync(content);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(8, 4);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(name), packed]);
  const central = Buffer.concat([
    Buffer.from("PK\x01\x02\x14\x00", "latin1"),
    fields,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return new Uint8Array(Buffer.concat([local, central, end]));
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isDomainError(error)) return error.code;
    throw error;
  }
  return "none";
}

const SIX = [1, 2, 3, 4, 5, 6];

describe("parseNpy", () => {
  it.each([1, 2, 3] as const)("reads format %i", (version) => {
    const tensor = parseNpy(npy([2, 3], Float32Array.from(SIX), { version }));
    expect([tensor.dtype, tensor.shape, [...float64FromTensor(tensor)]]).toEqual(["F32", [2, 3], SIX]);
  });

  it.each([
    ["<f2", Float16Array.from(SIX)],
    ["<f8", Float64Array.from(SIX)],
    ["<i8", BigInt64Array.from(SIX, BigInt)],
    ["|u1", Uint8Array.from(SIX)],
  ])("reads %s", (descr, data) => {
    expect([...float64FromTensor(parseNpy(npy([2, 3], data, { descr })))]).toEqual(SIX);
  });

  it("reads big-endian numbers and Fortran order", () => {
    const swapped = Buffer.from(Float32Array.from(SIX).buffer).swap32();
    expect([...float64FromTensor(parseNpy(npy([2, 3], swapped, { descr: ">f4" })))]).toEqual(SIX);
    const columns = Float32Array.of(1, 4, 2, 5, 3, 6);
    expect([...float64FromTensor(parseNpy(npy([2, 3], columns, { isFortran: true })))]).toEqual(SIX);
  });

  it.each([
    ["cut in its data", npy([2, 3], new Float32Array(5)), "TRUNCATED"],
    ["cut in its header", npy([2, 3], new Float32Array(6)).subarray(0, 40), "TRUNCATED"],
    ["cut at its length", npy([2, 3], new Float32Array(6)).subarray(0, 8), "TRUNCATED"],
    ["longer than its shape", npy([2, 3], new Float32Array(7)), "CORRUPT"],
    ["of objects", npy([2], new Float32Array(2), { descr: "|O" }), "UNSAFE_PICKLE"],
    ["of text", npy([2], new Float32Array(2), { descr: "<U1" }), "UNSUPPORTED_FORMAT"],
    ["of complex numbers", npy([2], new Float32Array(4), { descr: "<c8" }), "UNSUPPORTED_FORMAT"],
    ["with an absurd shape", npy([1e15, 1e15], new Float32Array(2)), "TRUNCATED"],
    ["without a header", npy([2], new Float32Array(2)).fill(0x20, 10, 60), "CORRUPT"],
  ])("refuses a file %s", (_name, bytes, code) => {
    expect(codeOf(() => parseNpy(bytes))).toBe(code);
  });
});

describe("parseNpzArray", () => {
  it("reads a compressed array", () => {
    const entries = parseZip(zipOf("features.npy", npy([2, 3], Float32Array.from(SIX))));
    expect(isNpz(entries)).toBe(true);
    expect([...float64FromTensor(parseNpzArray(entries, "features"))]).toEqual(SIX);
  });

  it("refuses an archive whose bytes changed or are missing", () => {
    const bytes = zipOf("features.npy", npy([2, 3], Float32Array.from(SIX)));
    expect(codeOf(() => parseNpzArray(parseZip(bytes.with(60, (bytes[60] ?? 0) ^ 255)), "features"))).toBe("CORRUPT");
    expect(codeOf(() => parseZip(bytes.subarray(0, -3)))).toBe("TRUNCATED");
  });
});
