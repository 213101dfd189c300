import { describe, expect, it } from "vitest";
import { Tensor } from "./onnxruntime.ts";
import { createResidents } from "./residents.ts";

function floats(...values: number[]): Tensor {
  return new Tensor("float32", Float32Array.from(values), [values.length]);
}

describe("resident tensors", () => {
  it("give back the memory of the one that is replaced, not of the new one", () => {
    const residents = createResidents();
    const [before, after] = [floats(1, 2), floats(3)];
    residents.set("x", before);
    residents.set("x", after);
    expect(before.data).toHaveLength(0);
    expect(residents.get("x").data).toEqual(Float32Array.of(3));
    expect(residents.bytes).toBe(4);
  });

  it("keep a tensor that is set again under its name", () => {
    const residents = createResidents();
    const tensor = floats(1, 2);
    residents.set("x", tensor);
    residents.set("x", tensor);
    expect(residents.get("x").data).toEqual(Float32Array.of(1, 2));
  });

  it("give back what is dropped by its prefix and know it no more", () => {
    const residents = createResidents();
    const [dropped, kept] = [floats(1), floats(2)];
    residents.set("train/a/weights", dropped);
    residents.set("train/b/weights", kept);
    residents.drop("train/a/");
    expect([dropped.data.length, kept.data.length, residents.size]).toEqual([0, 1, 1]);
    expect(() => residents.get("train/a/weights")).toThrow('the engine holds no tensor "train/a/weights"');
  });
});
