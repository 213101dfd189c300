import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { Engine, RunRequest } from "./engine-port.ts";
import { countGraph, expandGraph, identityGraph } from "./testing/test-graphs.ts";
import { codeOf, errorOf, f32, i64, inline, numbersOf, slowRun } from "./testing/test-tensors.ts";

const opened: Engine[] = [];
const scratch = await mkdtemp(join(tmpdir(), "parfocal-engine-test-"));
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
});
afterAll(() => rm(scratch, { recursive: true }));

async function open(options: EngineOptions = {}): Promise<Engine> {
  const engine = createEngine({ intraOpThreads: 1, scratchDir: scratch, ...options });
  opened.push(engine);
  await engine.ready();
  return engine;
}

function countRun(name = "count", n = 1): RunRequest {
  const sink = { kind: "resident", name } as const;
  return { graph: countGraph(n), feeds: { state: sink }, fetches: { next: sink } };
}

function expandRun(elements: number): RunRequest {
  const feeds = { x: inline(f32([1])), shape: inline(i64([elements])) };
  return { graph: expandGraph(), feeds, fetches: { y: { kind: "inline" } } };
}

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 60; tries += 1) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await sleep(50);
  }
  return false;
}

const LONG = 100_000;

describe("a run in flight", () => {
  it("is ended by a cancel, and the next request runs on a new process", async () => {
    const engine = await open();
    const controller = new AbortController();
    const cancelled = codeOf(engine.run([slowRun(LONG)], { signal: controller.signal }));
    const waiting = engine.setResident({ count: f32([7]) });
    await sleep(300);
    controller.abort();
    // Would be `undefined` if the run had come to its end. How long it takes is the benchmark's to say: cores are shared.
    expect(await cancelled).toBe("CANCELLED");
    await waiting;
    expect(numbersOf((await engine.getResident(["count"])).count)).toEqual([7]);
    expect(engine.stats().respawns).toBe(1);
  });

  it("is ended by its deadline", async () => {
    const engine = await open();
    expect(await codeOf(engine.run([slowRun(LONG)], { signal: AbortSignal.timeout(300) }))).toBe("DEADLINE_EXCEEDED");
  });

  for (const signal of ["SIGSEGV", "SIGABRT", "SIGKILL"] as const) {
    it(`fails alone when the process ends by ${signal}`, async () => {
      const engine = await open();
      await engine.setResident({ count: f32([0]) });
      const crashed = codeOf(engine.run([slowRun(LONG)]));
      const waiting = codeOf(engine.run([countRun()]));
      const fresh = engine.setResident({ other: f32([1]) });
      await sleep(200);
      process.kill(engine.stats().pid ?? 0, signal);
      expect(await crashed).toBe("ENGINE_CRASHED");
      expect(await waiting).toBe("STATE_LOST");
      await fresh;
      expect(numbersOf((await engine.getResident(["other"])).other)).toEqual([1]);
    });
  }

  it("does not die of the signals that ask the service to stop", async () => {
    const engine = await open();
    const running = engine.run([slowRun(50)]);
    await sleep(100);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.kill(engine.stats().pid ?? 0, signal);
    expect((await running).length).toBe(1);
  });
});

describe("a sequence", () => {
  it("stops between two runs when cancelled, keeping the process and what ran before", async () => {
    const engine = await open();
    const n = 200_000;
    await engine.setResident({ count: f32(new Array<number>(n).fill(0)) });
    const controller = new AbortController();
    const run = countRun("count", n);
    const cancelled = codeOf(engine.run(new Array<RunRequest>(20_000).fill(run), { signal: controller.signal }));
    await sleep(300);
    controller.abort();
    expect(await cancelled).toBe("CANCELLED");
    const done = numbersOf((await engine.getResident(["count"])).count)[0] ?? 0;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(20_000);
    expect(engine.stats().respawns).toBe(0);
  });
});

describe("results that nobody takes", () => {
  /** Elements of a tensor that goes by file. */
  const N = 2 ** 19;

  function passing(): string[] {
    const folders = readdirSync(scratch).filter((name) => name.startsWith("transfer-"));
    return folders.flatMap((name) => readdirSync(join(scratch, name)));
  }

  it("leave no file when a later run of their sequence fails", async () => {
    const engine = await open();
    const feeds = { x: inline(f32(new Array<number>(N).fill(1))) };
    const whole: RunRequest = { graph: identityGraph("f32"), feeds, fetches: { y: { kind: "inline" } } };
    expect(await codeOf(engine.run([whole, countRun("missing")]))).toBe("STATE_LOST");
    await engine.dropResident("none");
    expect(passing()).toEqual([]);
  });

  it("leave no file when the signal fires as they arrive", async () => {
    // The signal is looked at when the answer is there: a process that is not told to stop answers all the same.
    const engine = await open({ cancelGraceMs: 60_000 });
    await engine.setResident({ w: f32(new Array<number>(N).fill(1)) });
    for (let i = 0; i < 20; i += 1) {
      const controller = new AbortController();
      const asked = engine.getResident(["w"], { signal: controller.signal }).catch(() => undefined);
      setTimeout(() => controller.abort(), 1 + i * 0.3);
      await asked;
    }
    await engine.dropResident("none");
    expect(passing()).toEqual([]);
  });
});

describe("a request in the queue", () => {
  it("is refused beyond the bound, which the error names", async () => {
    const engine = await open({ maxQueue: 2 });
    const controller = new AbortController();
    const running = codeOf(engine.run([slowRun(LONG)], { signal: controller.signal }));
    const waiting = [engine.setResident({ a: f32([1]) }), engine.setResident({ b: f32([1]) })];
    const error = await errorOf(engine.setResident({ c: f32([1]) }));
    expect(error.code).toBe("RESOURCE_EXHAUSTED");
    expect(error.message).toContain("2 requests");
    controller.abort();
    expect(await running).toBe("CANCELLED");
    await Promise.all(waiting);
    await engine.setResident({ c: f32([1]) });
    expect(engine.stats().residentTensors).toBe(3);
  });

  it("that forgets tensors is taken beyond the bound", async () => {
    const engine = await open({ maxQueue: 2, cancelGraceMs: 60_000 });
    await engine.setResident({ "score/tiles": f32([1]) });
    const controller = new AbortController();
    const sequence = new Array<RunRequest>(5000).fill(slowRun(1));
    const running = codeOf(engine.run(sequence, { signal: controller.signal }));
    await sleep(200);
    const waiting = [engine.run([slowRun(1)]), engine.run([slowRun(1)])];
    expect(await codeOf(engine.setResident({ b: f32([1]) }))).toBe("RESOURCE_EXHAUSTED");
    const dropped = engine.dropResident("score/");
    controller.abort();
    expect(await running).toBe("CANCELLED");
    await Promise.all([dropped, ...waiting]);
    expect(engine.stats()).toMatchObject({ residentTensors: 0, respawns: 0 });
  });

  it("leaves it at once when it is cancelled, and the run in flight goes on", async () => {
    const engine = await open();
    const running = engine.run([slowRun(60)]);
    const controller = new AbortController();
    const waiting = codeOf(engine.setResident({ a: f32([1]) }, { signal: controller.signal }));
    controller.abort();
    expect(await waiting).toBe("CANCELLED");
    expect((await running).length).toBe(1);
    expect(engine.stats().respawns).toBe(0);
  });
});

describe("memory", () => {
  it("that an allocation does not get fails that run alone, without ending the process", async () => {
    const engine = await open();
    await engine.setResident({ count: f32([3]) });
    expect(await codeOf(engine.run([expandRun(4e12)]))).toBe("OUT_OF_MEMORY");
    expect(numbersOf((await engine.getResident(["count"])).count)).toEqual([3]);
    expect(engine.stats().respawns).toBe(0);
  });

  it("beyond the engine's own limit is a typed error too", async () => {
    const engine = await open({ memoryLimitBytes: 2 ** 29 });
    expect(await codeOf(engine.run([expandRun(400_000_000)]))).toBe("OUT_OF_MEMORY");
    // What lacked memory once gets a fresh process: nothing is held in this one.
    const { recycles, respawns } = engine.stats();
    expect(recycles + respawns).toBeGreaterThan(0);
    const [result] = await engine.run([expandRun(1_000_000)]);
    expect(numbersOf(result?.outputs.y)).toEqual([1_000_000]);
  });
});

describe("sessions", () => {
  it("are released beyond the bound, and the process is replaced when it made many", async () => {
    const engine = await open({ maxSessions: 2, recycleAfterSessions: 4 });
    for (const n of [1, 2, 3]) {
      await engine.setResident({ count: f32(new Array<number>(n).fill(0)) });
      await engine.run([countRun("count", n)]);
    }
    expect(engine.stats()).toMatchObject({ sessions: 2, recycles: 0 });
    await engine.setResident({ count: f32([0, 0, 0, 0]) });
    await engine.run([countRun("count", 4)]);
    // Resident tensors hold the process: nobody loses state to housekeeping.
    expect(engine.stats().recycles).toBe(0);
    await engine.dropResident("");
    await engine.setResident({ count: f32([1]) });
    expect(engine.stats()).toMatchObject({ recycles: 1, respawns: 0 });
    expect(numbersOf((await engine.getResident(["count"])).count)).toEqual([1]);
  });
});

describe("closing", () => {
  it("waits for the run in flight when asked to, and refuses what waited", async () => {
    const engine = await open();
    const running = engine.run([slowRun(60)]);
    const waiting = codeOf(engine.setResident({ a: f32([1]) }));
    await engine.close({ drain: true });
    expect((await running).length).toBe(1);
    expect(await waiting).toBe("UNREACHABLE");
    expect(await codeOf(engine.setResident({ a: f32([1]) }))).toBe("UNREACHABLE");
  });

  it("ends the run in flight otherwise, and leaves no process and no passing file", async () => {
    const engine = await open();
    const pid = engine.stats().pid ?? 0;
    const running = codeOf(engine.run([slowRun(LONG)]));
    await sleep(200);
    await engine.close();
    expect(await running).toBe("UNREACHABLE");
    expect(await isGone(pid)).toBe(true);
    expect(readdirSync(scratch).filter((name) => !name.endsWith(".onnx"))).toEqual([]);
  });
});

describe("closing while a request is on its way into the process", () => {
  it("refuses it and starts no other process", async () => {
    const engine = await open();
    const x = { dtype: "f32", shape: [2 ** 24], data: new Uint8Array(2 ** 26) } as const;
    const run: RunRequest = {
      ...{ graph: identityGraph("f32"), feeds: { x: inline(x) } },
      fetches: { y: { kind: "inline" } },
    };
    const refused = codeOf(engine.run([run]));
    await sleep(2);
    await engine.close();
    expect(await refused).toBe("UNREACHABLE");
    expect(await codeOf(engine.ready())).toBe("UNREACHABLE");
    const { pid, respawns } = engine.stats();
    expect(respawns).toBe(0);
    expect(await isGone(pid ?? 0)).toBe(true);
  });
});

describe("a process that cannot be started", () => {
  afterEach(() => {
    delete process.env.PARFOCAL_TEST_FILLER;
  });

  it("fails those who ask for it, and is started when it can be again", async () => {
    const engine = await open();
    const pid = engine.stats().pid ?? 0;
    // No system takes a variable of this length: `fork` throws at once, as it does without memory. An unhandled rejection
    // would fail the test run.
    process.env.PARFOCAL_TEST_FILLER = "x".repeat(3 * 2 ** 20);
    process.kill(pid, "SIGKILL");
    expect(await isGone(pid)).toBe(true);
    await sleep(300);
    const error = await errorOf(engine.ready());
    expect([error.code, error.message]).toEqual(["ENGINE_CRASHED", "no engine process can be started"]);
    expect(error.cause).toMatchObject({ code: "E2BIG" });
    expect(engine.stats().respawns).toBe(0);
    delete process.env.PARFOCAL_TEST_FILLER;
    await engine.ready();
    expect(engine.stats().respawns).toBe(1);
  });

  it("leaves the worn one in use", async () => {
    const engine = await open({ recycleAfterSessions: 1 });
    const { pid } = engine.stats();
    process.env.PARFOCAL_TEST_FILLER = "x".repeat(3 * 2 ** 20);
    await engine.run([expandRun(1)]);
    // Served when the process was, or was not, replaced after the run.
    await engine.dropResident("none");
    expect(engine.stats()).toMatchObject({ pid, recycles: 0, respawns: 0 });
    delete process.env.PARFOCAL_TEST_FILLER;
    await engine.run([expandRun(2)]);
    await engine.dropResident("none");
    expect(engine.stats().recycles).toBeGreaterThan(0);
  });
});

describe("a device", () => {
  it("asked for by name and missing is an error that says so, at start and at every run", async () => {
    const engine = createEngine({ device: "cuda:15", intraOpThreads: 1 });
    opened.push(engine);
    const error = await errorOf(engine.ready());
    expect(error.code).toBe("DEVICE_MISSING");
    expect(error.message).toContain("device cuda:15 cannot run here");
    // The runtime's own words, which do not say what lacks.
    expect(error.message).not.toContain("Failed to load shared library");
    expect(await codeOf(engine.setResident({ a: f32([1]) }))).toBe("DEVICE_MISSING");
  });

  it("is found by `auto`", async () => {
    expect((await open({ device: "auto" })).device).toMatch(/^(cpu|cuda:0)$/);
  });

  it("of an unknown name is refused", () => {
    expect(() => createEngine({ device: "tpu" })).toThrow('device is "tpu", not one of cpu, cuda:N, webgpu, auto');
  });
});

describe("an orphan", () => {
  it("ends soon after its parent was killed, also in the middle of a run", async () => {
    const entry = new URL("./testing/orphan-parent.ts", import.meta.url).pathname;
    const parent = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(pid).toBeGreaterThan(0);
    parent.kill("SIGKILL");
    expect(await isGone(pid)).toBe(true);
  });
});
