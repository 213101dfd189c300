import { spawn } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createEngine, type Engine, type RunRequest } from "@parfocal/engine";
import { countGraph } from "../src/testing/test-graphs.ts";
import { f32, slowRun } from "../src/testing/test-tensors.ts";

// What the process boundary costs and what it buys. Run on a quiet machine:
//   node libs/engine/bench/engine.ts [seconds of the long graph, default 20]

const seconds = Number(process.argv[2] ?? 20);

function line(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(56)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit}`);
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function measureOverhead(engine: Engine): Promise<void> {
  const sink = { kind: "resident", name: "count" } as const;
  const run: RunRequest = { graph: countGraph(4), feeds: { state: sink }, fetches: { next: sink } };
  await engine.setResident({ count: f32([0, 0, 0, 0]) });
  const single: number[] = [];
  const sequence: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    let engineMs = 0;
    const totalMs = await timeMs(async () => {
      engineMs = (await engine.run([run]))[0]?.engineMs ?? 0;
    });
    single.push(totalMs - engineMs);
  }
  for (let round = 0; round < 9; round += 1) {
    let engineMs = 0;
    const totalMs = await timeMs(async () => {
      for (const result of await engine.run(new Array<RunRequest>(1000).fill(run))) engineMs += result.engineMs;
    });
    sequence.push(totalMs - engineMs);
  }
  line("one run in a message, over the runtime's own time", median(single) * 1000, "µs");
  line("each of 1 000 runs in a message, likewise", median(sequence), "µs");
}

async function measureTransfer(engine: Engine): Promise<void> {
  for (const mib of [1, 16, 128]) {
    const tensor = { dtype: "u8", shape: [mib << 20], data: new Uint8Array(mib << 20).fill(1) } as const;
    line(`${mib} MiB into the engine`, median(await times(5, () => engine.setResident({ tensor }))), "ms");
    line(`${mib} MiB out of the engine`, median(await times(5, () => engine.getResident(["tensor"]))), "ms");
  }
  await engine.dropResident("");
}

async function times(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i += 1) all.push(await timeMs(work));
  return all;
}

async function measureRespawn(engine: Engine): Promise<void> {
  const all: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const controller = new AbortController();
    const running = engine.run([slowRun(1_000_000)], { signal: controller.signal }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    all.push(
      await timeMs(async () => {
        controller.abort();
        await running;
        await engine.setResident({ ready: f32([1]) });
      }),
    );
  }
  line("cancel of a run to the next answer, 250 ms grace", median(all), "ms");
}

/** A process that does nothing but measure its own event loop: what it sees is the machine's doing, not the engine's. */
function startControl(): () => Promise<number> {
  const source = `
    const delay = require("node:perf_hooks").monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    setInterval(() => undefined, 1000);
    process.on("message", () => process.send(delay.max / 1e6, () => process.exit()));
  `;
  const control = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  return async () => {
    control.send("end");
    const [greatest] = (await once(control, "message")) as [number];
    return greatest;
  };
}

async function measureDelay(engine: Engine): Promise<void> {
  await engine.run([slowRun(10)]);
  const probe = (await engine.run([slowRun(100)]))[0]?.engineMs ?? 1000;
  const delay = monitorEventLoopDelay({ resolution: 2 });
  const endControl = startControl();
  delay.enable();
  const [result] = await engine.run([slowRun(Math.ceil((seconds * 100_000) / probe))]);
  delay.disable();
  line("the long graph ran for", (result?.engineMs ?? 0) / 1000, "s");
  line("event loop of the caller meanwhile, p50", delay.percentile(50) / 1e6, "ms");
  line("event loop of the caller meanwhile, p99", delay.percentile(99) / 1e6, "ms");
  line("event loop of the caller meanwhile, greatest", delay.max / 1e6, "ms");
  line("event loop of an idle process meanwhile, greatest", await endControl(), "ms");
}

function measureWidening(): void {
  const halves = new Float16Array(10_240_000).map((_, i) => (i % 2000) / 1000);
  const all = Array.from({ length: 7 }, () => {
    const startMs = performance.now();
    new Float32Array(halves);
    return performance.now() - startMs;
  });
  line("10 000 × 1 024 f16 widened to f32", median(all), "ms");
}

line("load of the machine before", loadavg()[0] ?? 0, "");
const startMs = performance.now();
const engine = createEngine();
await engine.ready();
line("engine ready", performance.now() - startMs, "ms");
try {
  await measureOverhead(engine);
  await measureTransfer(engine);
  measureWidening();
  await measureRespawn(engine);
  await measureDelay(engine);
} finally {
  await engine.close();
}
