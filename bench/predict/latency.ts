/**
 * @file What a unary Predict costs over the engine's own time, through the gateway and at the stage itself.
 *
 *     node bench/predict/latency.ts [--calls 300] [--tiles 1000]
 *
 * Gateway, stage and client are processes of their own; model and bag are cached before. Calls alternate. On a machine
 * that others use, p10 is what it costs when the four processes get their cores.
 */
import { parseArgs } from "node:util";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { cpuMs, describeMachine } from "../lib/machine.ts";
import { type ServiceProcesses, startServiceProcesses } from "../lib/service-processes.ts";
import { median, quantile } from "../lib/statistics.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { trainThroughGateway } from "../lib/trained-model.ts";

const D = 1024;
/** Calls before the measurement: they fill the caches and let the compiler finish. */
const N_WARM = 100;
/** What the gateway may add at the median, milliseconds. */
const TARGET_MS = 5;

/** Milliseconds of one call. */
interface Call {
  readonly totalMs: number;
  /** Of those outside the engine's runtime. */
  readonly addedMs: number;
}

type Predict = () => Promise<{ readonly prediction?: commonV1.Prediction | undefined }>;

async function timeCall(predict: Predict): Promise<Call> {
  const startMs = performance.now();
  const { prediction } = await predict();
  const totalMs = performance.now() - startMs;
  return { totalMs, addedMs: totalMs - (prediction?.engineMs ?? Number.NaN) };
}

function report(what: string, calls: readonly Call[]): number {
  const total = calls.map(({ totalMs }) => totalMs);
  const added = calls.map(({ addedMs }) => addedMs);
  const text = (values: readonly number[]) =>
    [10, 50, 99].map((p) => `p${p} ${quantile(values, p / 100).toFixed(2)}`).join(", ");
  console.log(`  ${what.padEnd(20)} ms: total ${text(total)} | over the engine's own time ${text(added)}`);
  return median(added);
}

function callsOf({ clients, aggregate }: ServiceProcesses, model: gatewayV1.Model, bag: gatewayV1.Bag) {
  const through = { model: model.name, bag: bag.name };
  const direct = { model: model.reference, bag: bag.reference };
  return {
    gateway: () => clients.prediction.predict(through),
    stage: () => aggregate.predict(direct),
  } satisfies Record<string, Predict>;
}

async function main(nCalls: number, nTiles: number): Promise<void> {
  const services = await startServiceProcesses({ PARFOCAL_THREADS: "0" });
  try {
    const model = await trainThroughGateway(services.clients, D);
    const bag = await uploadSynthetic(services.clients, { n: nTiles, d: D, seed: 100 });
    const { gateway, stage } = callsOf(services, model, bag);
    const calls: { readonly gateway: Call[]; readonly stage: Call[] } = { gateway: [], stage: [] };
    const cpu = () => ({ gateway: cpuMs(services.gatewayPid), stage: cpuMs(services.aggregatePid) });
    let before = cpu();
    for (let i = 0; i < N_WARM + nCalls; i++) {
      if (i === N_WARM) before = cpu();
      const [through, direct] = [await timeCall(gateway), await timeCall(stage)];
      if (i < N_WARM) continue;
      calls.gateway.push(through);
      calls.stage.push(direct);
    }
    console.log(`Predict of ${nTiles} x ${D}, model and bag cached, ${nCalls} calls each, ${describeMachine()}`);
    const added = report("through the gateway", calls.gateway);
    report("at the stage", calls.stage);
    const { gateway: gatewayMs, stage: stageMs } = cpu();
    const each = [(gatewayMs - before.gateway) / nCalls, (stageMs - before.stage) / nCalls / 2];
    console.log(`  processor time of a call: gateway ${each[0]?.toFixed(2)} ms, stage ${each[1]?.toFixed(2)} ms`);
    console.log(
      `  target: at most ${TARGET_MS} ms over the engine's own time at p50: ${added <= TARGET_MS ? "met" : "missed"}`,
    );
  } finally {
    await services.close();
  }
}

const { values } = parseArgs({
  options: { calls: { type: "string", default: "300" }, tiles: { type: "string", default: "1000" } },
});
await main(Number(values.calls), Number(values.tiles));
