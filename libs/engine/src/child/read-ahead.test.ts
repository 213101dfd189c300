import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { port } from "../testing/onnx-writer.ts";
import { codeOf } from "../testing/test-tensors.ts";
import type { RunWork, StoredSource } from "../wire.ts";
import { releaseFeeds } from "./line.ts";
import type { LentBytes } from "./object-reader.ts";
import { createReadAhead } from "./read-ahead.ts";
import { HOLDS_KEPT } from "./shared-tensor.ts";
import { createTensorCache } from "./tensor-cache.ts";

const GRAPH = { digest: "0", modelPath: "", inputs: [port("x", "f32", ["N"])], outputs: [] };

/** f32 values of every object. */
const N = 4;

/** A sequence that reads one object after the other. */
function workOf(...keys: readonly string[]): RunWork {
  const sources = keys.map(
    (key): StoredSource => ({ kind: "object", key, etag: "1", offsetBytes: 0, dtype: "f32", shape: [N] }),
  );
  return { kind: "run", graphs: [GRAPH], runs: sources.map((x) => ({ graph: 0, feeds: { x }, fetches: {} })) };
}

/** The sequence, with the object of this key still to be found right. */
function verifying({ runs, ...work }: RunWork, key: string): RunWork {
  const verify = { digest: "0".repeat(64), sizeBytes: 4 * N };
  const isMeant = ({ feeds: { x } }: RunWork["runs"][number]) => x?.kind === "object" && x.key === key;
  return {
    ...work,
    runs: runs.map((run) =>
      isMeant(run) ? { ...run, feeds: { x: { ...run.feeds.x, verify } as StoredSource } } : run,
    ),
  };
}

/** A reader that answers when it is told to, and what it was asked. */
function openReader() {
  const asked: string[] = [];
  const left: string[] = [];
  const given: string[] = [];
  const pending = new Map<string, PromiseWithResolvers<LentBytes>>();
  const read = ({ key }: StoredSource, _isWidened: boolean, signal: AbortSignal) => {
    const waiting = Promise.withResolvers<LentBytes>();
    asked.push(key);
    pending.set(key, waiting);
    signal.addEventListener("abort", () => {
      if (pending.get(key) !== waiting) return;
      left.push(key);
      waiting.reject(signal.reason);
    });
    return waiting.promise;
  };
  const answer = (key: string, verified?: Promise<void>) => {
    const { buffer } = new Float32Array(N).fill(asked.indexOf(key));
    pending.get(key)?.resolve({
      bytes: { buffer, offset: 0, size: buffer.byteLength },
      giveBack: () => given.push(key),
      ...(verified && { verified }),
    });
    pending.delete(key);
  };
  const fail = (key: string) => pending.get(key)?.reject(new DomainError("NOT_FOUND", "it is gone"));
  return { reader: { read }, asked, left, given, answer, fail };
}

function open({ maxBytes = 2 ** 20, cacheBytes = 0 } = {}) {
  const reads = openReader();
  const { reader } = reads;
  const ahead = createReadAhead(
    { reader, cache: createTensorCache(cacheBytes, HOLDS_KEPT), verified: new Set() },
    maxBytes,
  );
  const enter = (work: RunWork) => ahead.enter(work, new AbortController().signal);
  return { ...reads, ahead, enter };
}

const BYTES = 4 * N;

describe("reading ahead", () => {
  it("begins the inputs of the runs behind the present one, those of the sequence that is expected after its own", () => {
    const { ahead, enter, asked } = open();
    enter(workOf("a", "b", "c")).take(0);
    expect(asked).toEqual(["a", "b", "c"]);
    ahead.expect(workOf("d", "e", "f", "g", "h"));
    expect(asked).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    expect(ahead.bytes).toBe(6 * BYTES);
  });

  it("gives a sequence what was read before its turn, and reads it once", async () => {
    const { ahead, enter, asked, answer } = open();
    const next = workOf("b");
    const present = enter(workOf("a"));
    present.take(0);
    ahead.expect(next);
    answer("a");
    answer("b");
    await present.close();
    const { tensors } = enter(next).take(0);
    expect((await tensors.get("x"))?.tensor).toMatchObject({ data: new Float32Array(N).fill(1) });
    expect(asked).toEqual(["a", "b"]);
    expect(ahead.bytes).toBe(0);
  });

  it("holds no more than its bytes, and goes on in order when some are taken", () => {
    const { ahead, enter, asked } = open({ maxBytes: 2 * BYTES });
    const present = enter(workOf("a", "b"));
    present.take(0);
    ahead.expect(workOf("c", "d"));
    expect(asked).toEqual(["a", "b", "c"]);
    present.take(1);
    expect(asked).toEqual(["a", "b", "c", "d"]);
    expect(ahead.bytes).toBe(2 * BYTES);
  });

  it("leaves to its turn what alone is more than its bytes", () => {
    const { enter, asked } = open({ maxBytes: BYTES - 1 });
    const present = enter(workOf("a", "b"));
    present.take(0);
    expect(asked).toEqual(["a"]);
    present.take(1);
    expect(asked).toEqual(["a", "b"]);
  });

  it("ends and gives back what was begun for a sequence that is not expected any more, and only that", async () => {
    const { ahead, enter, asked, left, answer } = open();
    const present = enter(workOf("a", "b"));
    const { tensors } = present.take(0);
    ahead.expect(workOf("c", "d"));
    ahead.expect(workOf("e"));
    expect(left).toEqual(["c", "d"]);
    await expect.poll(() => ahead.bytes).toBe(2 * BYTES);
    expect(asked).toEqual(["a", "b", "c", "d", "e"]);
    answer("a");
    expect((await tensors.get("x"))?.tensor.dims).toEqual([N]);
    ahead.expect(undefined);
    expect(left).toEqual(["c", "d", "e"]);
    await present.close();
    expect(left).toEqual(["c", "d", "e", "b"]);
    expect(ahead.bytes).toBe(0);
  });

  it("tells of a failed reading the run that it was for", async () => {
    const { ahead, enter, answer, fail } = open();
    const next = workOf("b", "c");
    const present = enter(workOf("a"));
    const own = present.take(0);
    ahead.expect(next);
    fail("b");
    for (const key of ["a", "c"]) answer(key);
    expect((await own.tensors.get("x"))?.tensor.dims).toEqual([N]);
    await present.close();
    const sequence = enter(next);
    await expect(sequence.take(0).tensors.get("x")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await sequence.take(1).tensors.get("x"))?.tensor.dims).toEqual([N]);
  });

  it("ends the readings of a sequence whose signal fires, not those of the next", async () => {
    const { ahead, answer, left } = open();
    const controller = new AbortController();
    const present = ahead.enter(workOf("a", "b"), controller.signal);
    const { tensors } = present.take(0);
    const next = workOf("c");
    ahead.expect(next);
    controller.abort();
    expect(await codeOf(Promise.resolve(tensors.get("x")))).toBe("CANCELLED");
    await present.close();
    expect(left).toEqual(["a", "b"]);
    answer("c");
    expect((await ahead.enter(next, new AbortController().signal).take(0).tensors.get("x"))?.tensor.dims).toEqual([N]);
  });

  it("gives memory back when its run is over and it is found right, and that of runs that never come", async () => {
    const { ahead, enter, answer, given } = open();
    const { promise: hashed, resolve: endHashing } = Promise.withResolvers<void>();
    const present = enter(verifying(workOf("a", "b"), "a"));
    const own = present.take(0);
    answer("a", hashed);
    answer("b");
    await own.tensors.get("x");
    releaseFeeds(own);
    await present.close();
    expect(given).toEqual(["b"]);
    endHashing();
    await own.checks.settle();
    expect(given).toEqual(["b", "a"]);
    expect(ahead.bytes).toBe(0);
  });

  it("keeps memory that the cache keeps until that drops it and no run uses it", async () => {
    const { enter, answer, given } = open({ cacheBytes: BYTES });
    const present = enter(workOf("a", "b"));
    const first = present.take(0);
    for (const key of ["a", "b"]) answer(key);
    await first.tensors.get("x");
    expect(given).toEqual([]);
    releaseFeeds(first);
    await expect.poll(() => given).toEqual(["a"]);
    releaseFeeds(present.take(1));
    await present.close();
    expect(given).toEqual(["a"]);
  });

  it("does not read twice what an earlier run is about to find out", async () => {
    const { ahead, enter, asked, answer } = open({ cacheBytes: 2 ** 20 });
    const present = enter(workOf("a", "b"));
    const { tensors } = present.take(0);
    const next = workOf("a", "c");
    ahead.expect(next);
    expect(asked).toEqual(["a", "b", "c"]);
    answer("a");
    await tensors.get("x");
    present.take(1);
    await present.close();
    expect(enter(next).take(0).tensors.get("x")).toMatchObject({ tensor: { dims: [N] } });
    expect(asked).toEqual(["a", "b", "c"]);
  });
});
