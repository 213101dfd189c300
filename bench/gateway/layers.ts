/**
 * @file What each layer of a server takes of a call that does nothing: Node's HTTP/2, grpc-js, nice-grpc, the chain of steps.
 *
 *     node bench/gateway/layers.ts [--seconds 5] [--rounds 2] [--rate 330]
 *
 * Each is a process of its own with the gateway's Node options, called by h2load (Debian: nghttp2-client): at a rate that leaves it
 * idle between calls, where a call finds cold caches, and as fast as it answers eight at a time.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { imageOptionsOf } from "../../test/lib/image-options.ts";
import { cpuMs, describeMachine } from "../lib/machine.ts";
import { quantile } from "../lib/statistics.ts";
import { drawArrivals } from "./arrivals.ts";
import { CONCURRENCY } from "./caller.ts";
import { beginAt, keepRunning, type WireCall } from "./h2load.ts";
import { ANSWER, LAYERS, METHOD, REQUEST } from "./layer-servers.ts";

/** Enough calls for the compilers, s. */
const WARM_UP_S = 3;

async function startLayer(layer: string): Promise<{ readonly call: WireCall; readonly process: ChildProcess }> {
  const { nodeOptions } = await imageOptionsOf("gateway");
  const child = fork(new URL("./layer-servers.ts", import.meta.url), [layer], {
    env: { ...process.env, NODE_OPTIONS: nodeOptions },
    execArgv: [],
  });
  const [port] = (await once(child, "message")) as [number];
  const call = { address: `127.0.0.1:${port}`, path: METHOD, message: REQUEST, nAnswerBytes: ANSWER.length };
  return { call, process: child };
}

async function measure(layer: string, ratePerS: number, seconds: number): Promise<string> {
  const { call, process: server } = await startLayer(layer);
  try {
    await keepRunning(call, CONCURRENCY, WARM_UP_S);
    const [before, startMs] = [cpuMs(server.pid), performance.now()];
    const { callsPerS } = await keepRunning(call, CONCURRENCY, seconds);
    const busyMs = (cpuMs(server.pid) - before) / ((callsPerS * (performance.now() - startMs)) / 1000);
    const [arrivalsMs, idleBefore] = [drawArrivals({ ratePerS, seconds, seed: 1 }), cpuMs(server.pid)];
    const { latenciesMs } = await beginAt(call, arrivalsMs);
    const idleMs = (cpuMs(server.pid) - idleBefore) / arrivalsMs.length;
    const at = (q: number) => quantile(latenciesMs, q).toFixed(2);
    return `p10 ${at(0.1)}, p50 ${at(0.5)} ms, ${idleMs.toFixed(2)} ms of a processor each; ${CONCURRENCY} at a time ${callsPerS.toFixed(0)} calls/s, ${busyMs.toFixed(3)} ms each`;
  } finally {
    server.kill();
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "2" },
    rate: { type: "string", default: "330" },
  },
});
console.log(`A call that does nothing, ${values.rate} a second, ${describeMachine()}`);
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const layer of LAYERS) {
    console.log(`  ${layer.padEnd(10)} ${await measure(layer, Number(values.rate), Number(values.seconds))}`);
  }
}
