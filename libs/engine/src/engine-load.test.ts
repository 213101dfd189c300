import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import { slowRun } from "./testing/test-tensors.ts";

/** How often the event loop is looked at. */
const RESOLUTION_MS = 5;

const engine = createEngine({ intraOpThreads: 2 });
afterAll(() => engine.close());

/** Threads that keep this machine's cores busy until they are ended. */
function burnCores(count: number): Worker[] {
  return Array.from({ length: count }, () => new Worker("for (;;);", { eval: true }));
}

describe("an engine under load", () => {
  it("leaves the event loop of its caller free while a graph of seconds runs", async () => {
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    await engine.ready();
    delay.enable();
    const before = performance.eventLoopUtilization();
    const [result] = await engine.run([slowRun(400)]);
    const { utilization } = performance.eventLoopUtilization(before);
    // What was held up until now is counted when the next timer is due.
    await new Promise((resolve) => setTimeout(resolve, 2 * RESOLUTION_MS));
    delay.disable();
    // A run in this process would hold everything up for as long as it takes. How little it is held up `bench/` measures, on a quiet machine.
    expect(delay.max / 1e6).toBeLessThan((result?.engineMs ?? 0) / 2);
    expect(utilization).toBeLessThan(0.5);
  });

  it("gives the same bits whether the machine is idle or busy", async () => {
    const run = slowRun(40);
    const [idle] = await engine.run([run]);
    const burners = burnCores(3);
    const neighbour = createEngine({ intraOpThreads: 2 });
    try {
      const [[busy], [other]] = await Promise.all([engine.run([run]), neighbour.run([run])]);
      expect(busy?.outputs).toEqual(idle?.outputs);
      expect(other?.outputs).toEqual(idle?.outputs);
    } finally {
      await Promise.all(burners.map((burner) => burner.terminate()));
      await neighbour.close();
    }
  });
});
