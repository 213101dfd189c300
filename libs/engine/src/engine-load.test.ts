import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import { slowRun } from "./testing/test-tensors.ts";

const engine = createEngine({ intraOpThreads: 2 });
afterAll(() => engine.close());

/** Threads that keep this machine's cores busy until they are ended. */
function burnCores(count: number): Worker[] {
  return Array.from({ length: count }, () => new Worker("for (;;);", { eval: true }));
}

describe("an engine under load", () => {
  it("leaves the event loop of its caller free while a graph of seconds runs", async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    await engine.ready();
    delay.enable();
    const before = performance.eventLoopUtilization();
    const [result] = await engine.run([slowRun(400)]);
    const { utilization } = performance.eventLoopUtilization(before);
    delay.disable();
    expect(result?.engineMs).toBeGreaterThan(500);
    // The greatest delay is the scheduler's on a machine that tests share; `bench/` measures it on a quiet one.
    expect(delay.percentile(99) / 1e6).toBeLessThan(50);
    expect(utilization).toBeLessThan(0.1);
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
