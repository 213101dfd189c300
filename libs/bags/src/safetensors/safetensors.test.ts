import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { encodeSafetensors, type SafetensorsInput } from "./encode-safetensors.ts";
import { parseSafetensorsHeader } from "./parse-header.ts";
import { float32FromTensor, parseSafetensors } from "./parse-safetensors.ts";

/** A file from a header as text and its data, whatever they say. */
function fileOf(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
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

const entry = (fields: string): string => `{"a":{${fields}}}`;

describe("encodeSafetensors", () => {
  it("gives the same bytes whatever order tensors and metadata come in", () => {
    const a = { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) } as const;
    const b = { dtype: "U8", shape: [3], data: new Uint8Array([1, 2, 3]) } as const;
    const one = encodeSafetensors(
      new Map<string, SafetensorsInput>([
        ["a", a],
        ["b", b],
      ]),
      { x: "1", y: "2" },
    );
    const two = encodeSafetensors(
      new Map<string, SafetensorsInput>([
        ["b", b],
        ["a", a],
      ]),
      { y: "2", x: "1" },
    );
    expect(two).toEqual(one);
  });

  it("aligns every tensor to its own elements and the data to 64 bytes", () => {
    const tensors = new Map([
      ["a", { dtype: "U8", shape: [3], data: new Uint8Array(3) } as const],
      ["b", { dtype: "F16", shape: [1], data: new Uint16Array(1) } as const],
      ["c", { dtype: "F64", shape: [1], data: new Float64Array(1) } as const],
    ]);
    const header = parseSafetensorsHeader(encodeSafetensors(tensors));
    expect(header.dataOffsetBytes % 64).toBe(0);
    expect([...header.tensors.keys()]).toEqual(["c", "b", "a"]);
    expect(header.tensors.get("b")?.offsetBytes).toBe(header.dataOffsetBytes + 8);
  });

  it("refuses data that is not shape times dtype", () => {
    const tensors = new Map([["a", { dtype: "F32", shape: [3], data: new Float32Array(2) } as const]]);
    expect(codeOf(() => encodeSafetensors(tensors))).toBe("SHAPE_MISMATCH");
  });
});

describe("parseSafetensors", () => {
  it("views a tensor in place and copies it only when it is not aligned", () => {
    const bytes = encodeSafetensors(new Map([["a", { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) }]]));
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    for (const input of [bytes, shifted.subarray(1)]) {
      const tensor = parseSafetensors(input).tensors.get("a");
      expect(tensor && [...float32FromTensor(tensor)]).toEqual([1, 2]);
      expect(tensor?.data.buffer).toBe(input.buffer);
    }
  });

  it("reads scalars, empty tensors and a header padded with spaces", () => {
    const header =
      '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[0,4],"data_offsets":[1,1]}}  ';
    const file = parseSafetensors(fileOf(header, new Uint8Array([7])));
    expect(file.tensors.get("a")?.data).toEqual(new Uint8Array([7]));
    expect(file.tensors.get("b")?.data.length).toBe(0);
  });

  it.each([
    ["no length", new Uint8Array(5), "TRUNCATED"],
    ["a length beyond the file", fileOf("{}").subarray(0, 9), "TRUNCATED"],
    ["an absurd length", new Uint8Array(8).fill(0xff), "CORRUPT"],
    ["a header that is no JSON", fileOf("{nope"), "CORRUPT"],
    ["a header that is no object", fileOf("[1]"), "CORRUPT"],
    [
      "the same tensor twice",
      fileOf(
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      ),
      "CORRUPT",
    ],
    ["the same field twice", fileOf(entry('"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]')), "CORRUPT"],
    ["an unknown dtype", fileOf(entry('"dtype":"F4","shape":[0],"data_offsets":[0,0]')), "UNSUPPORTED_FORMAT"],
    ["a negative size", fileOf(entry('"dtype":"U8","shape":[-1],"data_offsets":[0,0]')), "CORRUPT"],
    [
      "a size whose product overflows",
      fileOf(entry('"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]')),
      "CORRUPT",
    ],
    [
      "an extent that is not the shape's",
      fileOf(entry('"dtype":"U8","shape":[2],"data_offsets":[0,1]'), new Uint8Array(1)),
      "CORRUPT",
    ],
    ["a gap", fileOf(entry('"dtype":"U8","shape":[1],"data_offsets":[1,2]'), new Uint8Array(2)), "CORRUPT"],
    [
      "an overlap",
      fileOf(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        new Uint8Array(2),
      ),
      "CORRUPT",
    ],
    ["data cut short", fileOf(entry('"dtype":"U8","shape":[2],"data_offsets":[0,2]'), new Uint8Array(1)), "TRUNCATED"],
    ["bytes after the data", fileOf("{}", new Uint8Array(1)), "CORRUPT"],
    ["metadata that are no strings", fileOf('{"__metadata__":{"a":1}}'), "CORRUPT"],
    ["an unknown field", fileOf(entry('"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1')), "CORRUPT"],
  ])("refuses %s", (_name, bytes, code) => {
    expect(codeOf(() => parseSafetensors(bytes))).toBe(code);
  });
});
