import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { float64FromTensor } from "../tensor-values.ts";
import { torchFixture } from "./fixtures/read-fixture.ts";
import { readTorchStateDict } from "./read-torch-state-dict.ts";

const MATRIX = Array.from({ length: 12 }, (_, index) => index / 4);
const range = (start: number, end: number) => Array.from({ length: end - start }, (_, index) => start + index);

function valuesOf(fixture: string, name = ""): { dtype: string; shape: readonly number[]; values: number[] } {
  const tensor = readTorchStateDict(torchFixture(fixture)).get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return { dtype: tensor.dtype, shape: tensor.shape, values: [...float64FromTensor(tensor)] };
}

describe.each(["zip", "legacy"])("readTorchStateDict on the %s format", (kind) => {
  it.each([
    ["bare", "F32"],
    ["bf16", "BF16"],
    ["f64", "F64"],
    ["transposed", "F32"],
  ])("reads a %s tensor row by row", (name, dtype) => {
    expect(valuesOf(`${kind}-${name}`)).toEqual({ dtype, shape: [3, 4], values: MATRIX });
  });

  it("reads a dict of halves and integers", () => {
    expect(valuesOf(`${kind}-dict-f16`, "features")).toEqual({ dtype: "F16", shape: [3, 4], values: MATRIX });
    const coords = { dtype: "I64", shape: [3, 2], values: [0, 0, 256, 0, 0, 256] };
    expect(valuesOf(`${kind}-dict-f16`, "coords")).toEqual(coords);
  });

  it("honours offset and strides of a view into a larger storage", () => {
    const values = [10, 18, 26].flatMap((start) => range(start, start + 4));
    expect(valuesOf(`${kind}-view`)).toEqual({ dtype: "F32", shape: [3, 4], values });
  });

  it("reads parameters and tensors that share a storage", () => {
    expect(valuesOf(`${kind}-parameter`, "features").values).toEqual(MATRIX);
    expect(valuesOf(`${kind}-shared`, "features").values).toEqual(range(0, 12));
    expect(valuesOf(`${kind}-shared`, "other").values).toEqual(range(8, 20));
  });

  it("reads a checkpoint by dotted names", () => {
    const names = [...readTorchStateDict(torchFixture(`${kind}-state-dict`)).keys()];
    expect(names).toEqual(["state_dict.0.bias", "state_dict.0.weight"]);
    expect(valuesOf(`${kind}-state-dict`, "state_dict.0.weight")).toMatchObject({ shape: [3, 2], values: range(0, 6) });
  });
});

describe("readTorchStateDict", () => {
  it("reads numpy arrays, other protocols, empty and repeated tensors", () => {
    expect(valuesOf("zip-numpy", "feats")).toEqual({ dtype: "F32", shape: [3, 4], values: MATRIX });
    expect(valuesOf("zip-numpy", "coords")).toMatchObject({ dtype: "I64", values: [0, 0, 256, 0, 0, 256] });
    expect(valuesOf("zip-numpy-fortran", "feats").values).toEqual(MATRIX);
    expect(valuesOf("zip-protocol5").values).toEqual(MATRIX);
    expect(valuesOf("legacy-protocol4", "features").values).toEqual(MATRIX);
    expect(valuesOf("zip-empty")).toEqual({ dtype: "F32", shape: [0, 4], values: [] });
    expect(valuesOf("zip-expanded").values).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
  });

  it("takes numbers of numpy beside the weights for what they are", () => {
    const names = [...readTorchStateDict(torchFixture("zip-metrics")).keys()].toSorted();
    expect(names).toEqual(["auc", "best", "state_dict.0.bias", "state_dict.0.weight"]);
    expect(valuesOf("zip-metrics", "auc")).toEqual({ dtype: "F64", shape: [], values: [0.97] });
    expect(valuesOf("zip-metrics", "best")).toMatchObject({ dtype: "I64", shape: [] });
  });

  it("says that a file is cut or that a storage was changed", () => {
    const zip = torchFixture("zip-bare");
    const legacy = torchFixture("legacy-bare");
    const data = Buffer.from(zip).indexOf(Buffer.from(Float32Array.from(MATRIX).buffer));
    const codes = [zip.subarray(0, -30), legacy.subarray(0, -4), zip.with(data + 1, 1)].map((bytes) => {
      try {
        readTorchStateDict(bytes);
      } catch (error) {
        return isDomainError(error) ? error.code : error;
      }
      return "none";
    });
    expect(codes).toEqual(["TRUNCATED", "TRUNCATED", "CORRUPT"]);
  });
});
