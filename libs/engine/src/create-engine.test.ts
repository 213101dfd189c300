import { getEventListeners } from "node:events";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { RunRequest } from "./engine-port.ts";
import { createRandomWords } from "./random-words.ts";
import { buildGraph, port } from "./testing/onnx-writer.ts";
import { addGraph, countGraph, identityGraph } from "./testing/test-graphs.ts";
import { codeOf, errorOf, f32, inline, numbersOf } from "./testing/test-tensors.ts";
import { TRANSFER_FILE_BYTES } from "./wire-tensor.ts";

const engine = createEngine({ intraOpThreads: 1 });
afterAll(() => engine.close());

function countRun(name: string, n: number): RunRequest {
  const sink = { kind: "resident", name } as const;
  return { graph: countGraph(n), feeds: { state: sink }, fetches: { next: sink } };
}

describe("an engine", () => {
  it("gives what a graph computes", async () => {
    const feeds = { x: inline(f32([1, 2, 3, 4], [2, 2])), w: inline(f32([10, 20])) };
    const [result] = await engine.run([{ graph: addGraph(), feeds, fetches: { y: { kind: "inline" } } }]);
    expect(numbersOf(result?.outputs.y)).toEqual([11, 22, 13, 24]);
    expect(result?.outputs.y?.shape).toEqual([2, 2]);
    expect(result?.engineMs).toBeGreaterThan(0);
  });

  it("passes resident state from run to run of a sequence", async () => {
    await engine.setResident({ "a/count": f32([0, 5]) });
    await engine.run(Array.from({ length: 100 }, () => countRun("a/count", 2)));
    expect(numbersOf((await engine.getResident(["a/count"]))["a/count"])).toEqual([100, 105]);
  });

  it("forgets resident tensors by prefix, and says so when they are used", async () => {
    await engine.setResident({ "b/x": f32([1]), c: f32([2]) });
    await engine.dropResident("b/");
    expect(await codeOf(engine.getResident(["b/x"]))).toBe("STATE_LOST");
    expect(await codeOf(engine.run([countRun("b/x", 1)]))).toBe("STATE_LOST");
    expect(numbersOf((await engine.getResident(["c"])).c)).toEqual([2]);
  });

  it("keeps what ran before the failing run of a sequence, and names that run", async () => {
    await engine.setResident({ d: f32([0]) });
    const error = await errorOf(engine.run([countRun("d", 1), countRun("missing", 1), countRun("d", 1)]));
    expect([error.code, error.details.run]).toEqual(["STATE_LOST", "1"]);
    expect(numbersOf((await engine.getResident(["d"])).d)).toEqual([1]);
  });

  it("puts outputs end to end in one resident tensor", async () => {
    const rows = (first: number, count: number) => ({ first, count, total: 3 });
    const part = (values: readonly number[], first: number): RunRequest => ({
      graph: addGraph(),
      feeds: { x: inline(f32(values, [values.length / 2, 2])), w: inline(f32([10, 20])) },
      fetches: { y: { kind: "resident", name: "e/rows", rows: rows(first, values.length / 2) } },
    });
    await engine.run([part([1, 2, 3, 4], 0), part([5, 6], 2)]);
    const { "e/rows": joined } = await engine.getResident(["e/rows"]);
    expect(joined?.shape).toEqual([3, 2]);
    expect(numbersOf(joined)).toEqual([11, 22, 13, 24, 15, 26]);
    expect(await codeOf(engine.run([part([5, 6, 7, 8], 2)]))).toBe("INVALID_ARGUMENT");
    await engine.dropResident("e/");
    expect(await codeOf(engine.run([part([5, 6], 2)]))).toBe("STATE_LOST");
  });

  it("refuses a resident tensor whose shape the graph does not take", async () => {
    await engine.setResident({ wide: f32([1, 2, 3]) });
    const error = await errorOf(engine.run([countRun("wide", 2)]));
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toBe('input "state" is f32 [3], the graph needs f32 [2]');
  });

  it("refuses what does not belong to the graph before queueing it", async () => {
    const good = countRun("d", 1);
    const fetches = { nothing: { kind: "inline" } } as const;
    expect((await errorOf(engine.run([{ ...good, fetches }]))).message).toContain('"nothing" is no output');
    expect(await codeOf(engine.run([{ ...good, feeds: {} }]))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(engine.run([{ ...good, fetches: {} }]))).toBe("INVALID_ARGUMENT");
    const short = { dtype: "f32", shape: [1], data: new Uint8Array(3) } as const;
    expect((await errorOf(engine.setResident({ short }))).message).toBe(
      'tensor "short" carries 3 bytes; f32 [1] needs 4',
    );
  });

  it("says of a model whether it is broken or beyond the runtime", async () => {
    const run = { feeds: { x: inline(f32([1])) }, fetches: { y: { kind: "inline" } } } as const;
    const ports = { inputs: [port("x", "f32", ["N"])], outputs: [port("y", "f32", ["N"])] };
    const odd = buildGraph({ nodes: [{ op: "Frobnicate", inputs: ["x"], outputs: ["y"] }], ...ports });
    const error = await errorOf(engine.run([{ graph: odd, ...run }]));
    expect(error.code).toBe("UNSUPPORTED_OPERATION");
    expect(error.message).toContain("Frobnicate");
    const broken = { ...odd, digest: "0".repeat(64), model: new Uint8Array(100).fill(255) };
    expect(await codeOf(engine.run([{ graph: broken, ...run }]))).toBe("CORRUPT");
  });

  it("runs nothing when asked for nothing", async () => {
    expect(await engine.run([])).toEqual([]);
  });

  for (const dtype of ["f32", "f16", "i32", "i64", "u8", "u16", "bool"] as const) {
    for (const n of [0, 3]) {
      it(`carries ${n} elements of ${dtype} in and out unchanged`, async () => {
        const width = { f32: 4, f16: 2, i32: 4, i64: 8, u8: 1, u16: 2, bool: 1 }[dtype];
        const data = new Uint8Array(n * width).map((_, i) => (dtype === "bool" ? 1 : (i * 37) % 120));
        // An odd offset, as views into messages have.
        const view = new Uint8Array(new Uint8Array([9, ...data]).buffer, 1);
        const run = { graph: identityGraph(dtype), feeds: { x: inline({ dtype, shape: [n], data: view }) } };
        const [result] = await engine.run([{ ...run, fetches: { y: { kind: "inline" } } }]);
        expect(result?.outputs.y).toEqual({ dtype, shape: [n], data });
        expect(result?.outputs.y?.data.byteOffset).toBe(0);
      });
    }
  }

  it("carries tensors too large for a message, both ways and as state", async () => {
    const n = TRANSFER_FILE_BYTES / 2;
    const big = f32(Array.from({ length: n }, (_, i) => i));
    const feeds = { x: inline(big) };
    const [result] = await engine.run([{ graph: identityGraph("f32"), feeds, fetches: { y: { kind: "inline" } } }]);
    expect(Buffer.compare(result?.outputs.y?.data ?? Buffer.alloc(0), big.data)).toBe(0);
    await engine.setResident({ big });
    const back = (await engine.getResident(["big"])).big;
    expect(Buffer.compare(back?.data ?? Buffer.alloc(0), big.data)).toBe(0);
  });

  it("makes random words that do not depend on what ran before", async () => {
    const source = { kind: "random", seed: 3n, stream: 4n, shape: [33] } as const;
    const run: RunRequest = { graph: identityGraph("u16"), feeds: { x: source }, fetches: { y: { kind: "inline" } } };
    const results = await engine.run([run, run]);
    const expected = new Uint8Array(createRandomWords(source).buffer);
    for (const result of results) expect(result.outputs.y).toEqual({ dtype: "u16", shape: [33], data: expected });
  });

  it("counts what it did", async () => {
    const before = engine.stats();
    await engine.setResident({ d: f32([0]) });
    await engine.run([countRun("d", 1), countRun("d", 1)]);
    const after = engine.stats();
    expect(after.runs - before.runs).toBe(2);
    expect(after.engineMs).toBeGreaterThan(before.engineMs);
    expect(after).toMatchObject({ queued: 0, respawns: 0, recycles: 0 });
    expect(after.sessions).toBeGreaterThan(0);
    expect(after.residentBytes).toBeGreaterThan(0);
  });

  it("stops listening to a signal when the work is done, so that a long one keeps no results", async () => {
    const { signal } = new AbortController();
    await engine.setResident({ e: f32([0]) }, { signal });
    const works = Array.from({ length: 5 }, () => engine.run([countRun("e", 1)], { signal }));
    expect(getEventListeners(signal, "abort").length).toBeGreaterThan(0);
    await Promise.all([...works, engine.getResident(["e"], { signal })]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("answers an aborted signal without asking the process", async () => {
    expect(await codeOf(engine.run([countRun("d", 1)], { signal: AbortSignal.abort() }))).toBe("CANCELLED");
  });
});
