import { describe, expect, it } from "vitest";
import { Tensor } from "./onnxruntime.ts";
import { createTensorCache } from "./tensor-cache.ts";

const tensor = new Tensor("float32", new Float32Array(1), [1]);

describe("the tensor cache", () => {
  it("drops the least recently used when the budget is exceeded", () => {
    const cache = createTensorCache(10);
    cache.put("a", tensor, 4);
    cache.put("b", tensor, 4);
    expect(cache.get("a")).toBe(tensor);
    cache.put("c", tensor, 4);
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([tensor, undefined, tensor]);
    expect(cache.bytes).toBe(8);
  });

  it("keeps nothing larger than the budget and forgets nothing for it", () => {
    const cache = createTensorCache(10);
    cache.put("a", tensor, 4);
    cache.put("huge", tensor, 11);
    expect([cache.get("a"), cache.get("huge"), cache.bytes]).toEqual([tensor, undefined, 4]);
  });

  it("counts an entry once when it is put again", () => {
    const cache = createTensorCache(10);
    cache.put("a", tensor, 4);
    cache.put("a", tensor, 6);
    expect(cache.bytes).toBe(6);
  });
});
