import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openStore } from "@parfocal/store";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { RunRequest, TensorSource } from "./engine-port.ts";
import { bytesReadBy } from "./testing/read-bytes.ts";
import { identityGraph } from "./testing/test-graphs.ts";
import { codeOf, numbersOf, slowRun } from "./testing/test-tensors.ts";

const folder = await mkdtemp(join(tmpdir(), "parfocal-engine-ahead-"));
const uri = pathToFileURL(folder).href;
const store = openStore(uri);
const engine = createEngine({ intraOpThreads: 1, store: { uri }, cacheBytes: 0 });
afterAll(async () => {
  await engine.close();
  store.close();
  await rm(folder, { recursive: true });
});

type ObjectSource = Extract<TensorSource, { kind: "object" }>;

const N = 2 ** 20;

/** An object of `N` values, to be verified. */
async function put(key: string, value: number): Promise<ObjectSource> {
  const bytes = Buffer.from(new Float32Array(N).fill(value).buffer);
  const { etag } = await store.put(key, bytes);
  const verify = { digest: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
  return { kind: "object", key, etag, offsetBytes: 0, dtype: "f32", shape: [N], verify };
}

function runOf(source: ObjectSource): RunRequest {
  return { graph: identityGraph("f32"), feeds: { x: source }, fetches: { y: { kind: "inline" } } };
}

async function lastOf(running: ReturnType<typeof engine.run>): Promise<number | undefined> {
  const [result] = await running;
  return numbersOf(result?.outputs.y)[N - 1];
}

/** Waits until the engine's process has read as much as one object more. */
async function untilRead(before: number): Promise<void> {
  await expect.poll(() => bytesReadBy(pid()) - before, { timeout: 60_000 }).toBeGreaterThanOrEqual(4 * N);
}

function pid(): number {
  return engine.stats().pid ?? 0;
}

/** Times 6 ms that outlast whatever keeps this process from looking, on a machine with other work too. */
const LONG = 600;

/** Keeps the process at a run of about `times` × 6 ms. */
function occupy(times: number) {
  const running = engine.run([slowRun(times)]);
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  running.then(done, done);
  return { running, isDone: () => isDone };
}

describe("a request that waits", () => {
  it("has its inputs read while the one before it is computed", async () => {
    await engine.run([runOf(await put("warm", 1))]);
    const source = await put("early", 2);
    const before = bytesReadBy(pid());
    const { running, isDone } = occupy(LONG);
    const waiting = lastOf(engine.run([runOf(source)]));
    await untilRead(before);
    await store.delete("early");
    expect(isDone()).toBe(false);
    expect(await waiting).toBe(2);
    await running;
  });

  it("fails alone when its inputs cannot be read, or are others", async () => {
    const [good, damaged] = [await put("good", 3), await put("damaged", 4)];
    const { running } = occupy(20);
    const gone = codeOf(engine.run([runOf({ ...good, key: "nowhere" })]));
    const corrupt = codeOf(engine.run([runOf({ ...damaged, verify: good.verify! })]));
    const last = lastOf(engine.run([runOf(good)]));
    expect((await running).length).toBe(1);
    expect([await gone, await corrupt, await last]).toEqual(["NOT_FOUND", "CORRUPT", 3]);
  });

  it("can be cancelled when its inputs were read, and those behind it are served", async () => {
    const [first, second] = [await put("first", 5), await put("second", 6)];
    const before = bytesReadBy(pid());
    const { running } = occupy(LONG);
    const controller = new AbortController();
    const cancelled = codeOf(engine.run([runOf(first)], { signal: controller.signal }));
    const served = lastOf(engine.run([runOf(second)]));
    await untilRead(before);
    controller.abort();
    expect(await cancelled).toBe("CANCELLED");
    expect((await running).length).toBe(1);
    expect(await served).toBe(6);
    expect(engine.stats().respawns).toBe(0);
  });

  it("runs on the new process when the one that read its inputs ends", async () => {
    const source = await put("again", 7);
    const before = bytesReadBy(pid());
    const { running } = occupy(LONG);
    const crashed = codeOf(running);
    const waiting = lastOf(engine.run([runOf(source)]));
    await untilRead(before);
    process.kill(pid(), "SIGKILL");
    expect(await crashed).toBe("ENGINE_CRASHED");
    expect(await waiting).toBe(7);
    expect(engine.stats().respawns).toBe(1);
  });
});
