import { describe, expect, it } from "vitest";
import { Tensor } from "./onnxruntime.ts";
import { HOLDS_KEPT, shareTensor } from "./shared-tensor.ts";
import { createTensorCache } from "./tensor-cache.ts";

const share = (giveBack = () => {}) => shareTensor(new Tensor("float32", new Float32Array(1), [1]), giveBack);
const tensor = share();

describe("the tensor cache", () => {
  it("drops the least recently used when the budget is exceeded", () => {
    const cache = createTensorCache(10, HOLDS_KEPT);
    cache.put("a", tensor, 4);
    cache.put("b", tensor, 4);
    expect(cache.get("a")).toBe(tensor);
    cache.put("c", tensor, 4);
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([tensor, undefined, tensor]);
    expect(cache.bytes).toBe(8);
  });

  it("keeps nothing larger than the budget and forgets nothing for it", () => {
    const cache = createTensorCache(10, HOLDS_KEPT);
    cache.put("a", tensor, 4);
    cache.put("huge", tensor, 11);
    expect([cache.get("a"), cache.get("huge"), cache.bytes]).toEqual([tensor, undefined, 4]);
  });

  it("holds what it keeps until it drops it", () => {
    const cache = createTensorCache(10, HOLDS_KEPT);
    const given: string[] = [];
    for (const [key, bytes] of Object.entries({ a: 4, b: 4, huge: 11 })) {
      const read = share(() => given.push(key));
      cache.put(key, read, bytes);
      read.release();
    }
    expect(given).toEqual(["huge"]);
    const used = cache.get("a");
    used?.hold();
    cache.put("c", tensor, 4);
    cache.put("a", tensor, 4);
    expect(given).toEqual(["huge", "b"]);
    used?.release();
    expect(given).toEqual(["huge", "b", "a"]);
  });

  it("counts an entry once when it is put again", () => {
    const cache = createTensorCache(10, HOLDS_KEPT);
    cache.put("a", tensor, 4);
    cache.put("a", tensor, 6);
    expect(cache.bytes).toBe(6);
  });
});
