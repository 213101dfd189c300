import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openStore } from "@parfocal/store";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { RunRequest, TensorSource } from "./engine-port.ts";
import { identityGraph } from "./testing/test-graphs.ts";
import { codeOf, numbersOf } from "./testing/test-tensors.ts";

const folder = await mkdtemp(join(tmpdir(), "parfocal-engine-store-"));
const uri = pathToFileURL(folder).href;
const store = openStore(uri);
const engine = createEngine({ intraOpThreads: 1, store: { uri }, cacheBytes: 1 << 20 });
afterAll(async () => {
  await engine.close();
  store.close();
  await rm(folder, { recursive: true });
});

type ObjectSource = Extract<TensorSource, { kind: "object" }>;

function identityRun(source: ObjectSource, dtype: "f32" | "f16"): RunRequest {
  return { graph: identityGraph(dtype), feeds: { x: source }, fetches: { y: { kind: "inline" } } };
}

async function putWords(key: string, values: Float16Array | Float32Array, skip = 0): Promise<ObjectSource> {
  const bytes = Buffer.concat([Buffer.alloc(skip, 255), new Uint8Array(values.buffer, 0, values.byteLength)]);
  const { etag } = await store.put(key, bytes);
  const dtype = values instanceof Float16Array ? "f16" : "f32";
  return { kind: "object", key, etag, offsetBytes: skip, dtype, shape: [values.length] };
}

const OBJECT = {
  kind: "object",
  keyPrefix: "made",
  keySuffix: ".bin",
  before: Buffer.from("<<"),
  after: Buffer.from(">"),
} as const;

function inlineRun(values: readonly number[], shape: readonly number[]): RunRequest {
  const data = new Uint8Array(new Float32Array(values).buffer);
  const tensor = { dtype: "f32", shape: [values.length], data } as const;
  const x = { kind: "inline", tensor } as const;
  return { graph: identityGraph("f32"), feeds: { x }, fetches: { y: { ...OBJECT, shape } } };
}

/** Every 16-bit float that is a number. */
function everyHalf(): Float16Array {
  return new Float16Array(new Uint16Array(65536).map((_, i) => i).buffer).filter((value) => !Number.isNaN(value));
}

describe("objects as inputs", () => {
  it("are read from where they begin in the object", async () => {
    const source = await putWords("a", new Float32Array([1.5, -2, 3e38]), 7);
    const [result] = await engine.run([identityRun(source, "f32")]);
    expect(numbersOf(result?.outputs.y)).toEqual([...new Float32Array([1.5, -2, 3e38])]);
  });

  it("are widened exactly when the graph asks for f32", async () => {
    const halves = everyHalf();
    const [result] = await engine.run([identityRun(await putWords("halves", halves), "f32")]);
    expect(result?.outputs.y?.dtype).toBe("f32");
    expect(numbersOf(result?.outputs.y)).toEqual([...halves]);
  });

  it("are left as they are when the graph asks for f16", async () => {
    const halves = everyHalf();
    const [result] = await engine.run([identityRun(await putWords("halves", halves), "f16")]);
    expect(result?.outputs.y).toEqual({ dtype: "f16", shape: [halves.length], data: new Uint8Array(halves.buffer) });
  });

  it("are kept, within the budget, so that a second run reads nothing", async () => {
    const source = await putWords("kept", new Float32Array([4, 5]));
    await engine.run([identityRun(source, "f32")]);
    await store.delete("kept");
    const [result] = await engine.run([identityRun(source, "f32")]);
    expect(numbersOf(result?.outputs.y)).toEqual([4, 5]);
    expect(engine.stats().cachedBytes).toBeGreaterThanOrEqual(8);
    expect(engine.stats().cachedBytes).toBeLessThanOrEqual(1 << 20);
  });

  it("are used only when the whole object has the digest that was asked for", async () => {
    const source = await putWords("checked", new Float32Array([6, 7]), 8);
    const { bytes } = await store.get("checked");
    const verify = { digest: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
    const [result] = await engine.run([identityRun({ ...source, verify }, "f32")]);
    expect(numbersOf(result?.outputs.y)).toEqual([6, 7]);
    const other = await putWords("damaged", new Float32Array([6, 8]), 8);
    expect(await codeOf(engine.run([identityRun({ ...other, verify }, "f32")]))).toBe("CORRUPT");
    expect(await codeOf(engine.run([identityRun({ ...other, verify: { ...verify, sizeBytes: 3 } }, "f32")]))).toBe(
      "CORRUPT",
    );
  });

  it("are read ahead in a sequence, and what is wrong with one is said of its own run", async () => {
    const sources: ObjectSource[] = [];
    for (let i = 0; i < 12; i++) {
      const source = await putWords(`ahead-${i}`, new Float32Array([i, i + 0.5]), 8);
      const { bytes } = await store.get(source.key);
      const digest = createHash("sha256").update(bytes).digest("hex");
      sources.push({ ...source, verify: { digest, sizeBytes: bytes.length } });
    }
    // One of them three times, as in a training.
    const order = [0, 1, 2, 3, 1, 4, 5, 6, 1, 7, 8, 9, 10, 11];
    const runs = order.map((i) => identityRun(sources[i]!, "f32"));
    const results = await engine.run(runs);
    expect(results.map(({ outputs }) => numbersOf(outputs.y))).toEqual(order.map((i) => [i, i + 0.5]));
    const missing = { ...sources[0]!, key: "nowhere" };
    const again = order.map((i, at) =>
      identityRun(at === 9 ? missing : { ...sources[i]!, offsetBytes: 12, shape: [1] }, "f32"),
    );
    await expect(engine.run(again)).rejects.toMatchObject({ code: "NOT_FOUND", details: { run: "9" } });
    const [last] = await engine.run([identityRun({ ...sources[11]!, offsetBytes: 12, shape: [1] }, "f32")]);
    expect(numbersOf(last?.outputs.y)).toEqual([11.5]);
  });

  it("of about one size are read into memory that was used before, and each is its own", {
    timeout: 60_000,
  }, async () => {
    const sources: ObjectSource[] = [];
    for (let i = 0; i < 8; i++) {
      const values = new Float32Array(2_500_000 - 1000 * i).fill(i);
      const source = await putWords(`one-of-many-${i}`, values, 64);
      const { bytes } = await store.get(source.key);
      const digest = createHash("sha256").update(bytes).digest("hex");
      sources.push({ ...source, verify: { digest, sizeBytes: bytes.length } });
    }
    for (const order of [sources, sources.toReversed(), [...sources, ...sources]]) {
      const results = await engine.run(order.map((source) => identityRun(source, "f32")));
      for (const [at, { outputs }] of results.entries()) {
        const { shape, data = new Uint8Array() } = outputs.y ?? {};
        expect(shape).toEqual(order[at]?.shape);
        const value = sources.indexOf(order[at]!);
        expect(new Float32Array(data.buffer, data.byteOffset, data.length / 4).every((each) => each === value)).toBe(
          true,
        );
      }
    }
  });

  it("that turn out to be others leave nothing of the run behind", async () => {
    // Large enough to be hashed beside the run.
    const source = await putWords("large-and-damaged", new Float32Array(2_500_000).fill(3), 64);
    const { bytes } = await store.get("large-and-damaged");
    const good = { digest: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
    const bad = { ...good, digest: good.digest.replace(/^./u, (digit) => (digit === "0" ? "1" : "0")) };
    const run = (verify: typeof good, fetches: RunRequest["fetches"]) =>
      engine.run([{ graph: identityGraph("f32"), feeds: { x: { ...source, verify } }, fetches }]);
    const sink = { ...OBJECT, shape: [2_500_000] };
    for (const fetch of [{ kind: "inline" }, { kind: "resident", name: "kept" }, sink] as const)
      expect(await codeOf(run(bad, { y: fetch }))).toBe("CORRUPT");
    expect(await codeOf(engine.getResident(["kept"]))).toBe("STATE_LOST");
    expect((await store.list("made/")).objects).toEqual([]);
    const [result] = await run(good, { y: { kind: "inline" } });
    expect(new Set(numbersOf(result?.outputs.y))).toEqual(new Set([3]));
  });

  it("are not kept beyond the budget", async () => {
    const source = await putWords("large", new Float32Array((1 << 18) + 1));
    await engine.run([identityRun(source, "f32")]);
    await store.delete("large");
    expect(await codeOf(engine.run([identityRun(source, "f32")]))).toBe("NOT_FOUND");
  });

  it("of another version are refused", async () => {
    const source = await putWords("changed", new Float32Array([1]));
    await store.put("changed", new Uint8Array(4));
    expect(await codeOf(engine.run([identityRun(source, "f32")]))).toBe("PRECONDITION_FAILED");
  });

  it("may be empty", async () => {
    const source = await putWords("empty", new Float32Array(0));
    const [result] = await engine.run([identityRun(source, "f32")]);
    expect(result?.outputs.y?.shape).toEqual([0]);
  });

  it("need a store", async () => {
    const bare = createEngine({ intraOpThreads: 1 });
    try {
      const source = await putWords("a", new Float32Array([1]));
      expect(await codeOf(bare.run([identityRun(source, "f32")]))).toBe("INVALID_ARGUMENT");
    } finally {
      await bare.close();
    }
  });
});

describe("objects as outputs", () => {
  it("hold what the run gave between the caller's bytes, under the digest of it all", async () => {
    const expected = Buffer.concat([OBJECT.before, Buffer.from(new Float32Array([1.5, -2]).buffer), OBJECT.after]);
    const digest = createHash("sha256").update(expected).digest("hex");
    const object = { key: `made/${digest}.bin`, digest, sizeBytes: expected.length };
    for (let round = 0; round < 2; round += 1) {
      const [result] = await engine.run([inlineRun([1.5, -2], [2])]);
      expect(result).toMatchObject({ outputs: {}, objects: { y: object } });
    }
    expect(Buffer.from((await store.get(object.key)).bytes)).toEqual(expected);
  });

  it.each([
    ["of numbers that are none", [1, Number.NaN], [2], "NON_FINITE"],
    ["that overflowed", [1, Number.NEGATIVE_INFINITY], [2], "NON_FINITE"],
    ["of another shape than was said", [1, 2], [1, 2], "SHAPE_MISMATCH"],
  ])("%s are refused before anything is written", async (_, values, shape, code) => {
    const before = (await store.list("made/")).objects.length;
    expect(await codeOf(engine.run([inlineRun(values, shape)]))).toBe(code);
    expect((await store.list("made/")).objects).toHaveLength(before);
  });
});
