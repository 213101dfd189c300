import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "../create-engine.ts";
import { slowRun } from "./test-tensors.ts";

// A parent that a test kills while its engine runs a graph: prints the engine's process id once it runs.

const engine = createEngine({ intraOpThreads: 1 });
await engine.ready();
const running = engine.run([slowRun(100_000)]);
await sleep(300);
process.stdout.write(`${engine.stats().pid}\n`);
await running;
