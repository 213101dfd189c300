/**
 * @file What the gateway adds to a Predict at half of its load, how many calls a core of it carries, and what 500 Watch
 * streams cost it.
 *
 *     node bench/gateway/run.ts [--seconds 10] [--rounds 3] [--tiles 64] [--watchers 500] [--caller h2load|node] [--no-lines]
 *
 * Gateway, stage and caller are processes of their own; model and bag are cached before. The most calls per second are found with
 * eight at a time through the gateway; then calls begin at half of that, at random and whether earlier ones have ended or not,
 * through the gateway and at the stage itself in turns, at the same moments of both. Once the gateway and the stage have a core each,
 * as if on machines of their own, and once they share both. Callers would be on other machines, so the caller must take little of
 * these processors: h2load (Debian: nghttp2-client), or this process with one helper for its collections and a small nursery.
 * Needs `taskset`.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { aggregateV1, gatewayV1 } from "@parfocal/protocol";
import { plantCohort } from "../../test/lib/cohort.ts";
import { trainRequest, uploadCohort } from "../../test/lib/requests.ts";
import { cpuMs, describeMachine, memoryMib } from "../lib/machine.ts";
import { type ServiceProcesses, startServiceProcesses } from "../lib/service-processes.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { trainThroughGateway } from "../lib/trained-model.ts";
import { measureAdded, type Way } from "./added.ts";
import { findCaller, type Target } from "./caller.ts";

const D = 1024;
/** What the gateway may hold with all watchers, MB. */
const MEMORY_MB = 300;

/** What this process is started again with. */
const LIGHT = ["--v8-pool-size=1", "--max-semi-space-size=4"];

interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly tiles: number;
  readonly watchers: number;
  readonly caller: string | undefined;
  /** Whether the gateway's calls go over lines. */
  readonly lines: boolean;
}

async function measureWatchers({ clients, gatewayPid }: ServiceProcesses, nWatchers: number, seconds: number) {
  const slides = plantCohort(16);
  const names = await uploadCohort(clients, slides);
  const before = memoryMib(gatewayPid, "VmRSS");
  const { name } = await clients.training.train(trainRequest(slides, names, { modelId: "watched", epochs: 10_000 }));
  const leaving = new AbortController();
  let nEvents = 0;
  const watch = async () => {
    for await (const _ of clients.watching.watchOperation({ name }, { signal: leaving.signal })) nEvents += 1;
  };
  const watching = Promise.allSettled(Array.from({ length: nWatchers }, watch));
  const cpuBefore = cpuMs(gatewayPid);
  let peak = 0;
  const sampling = setInterval(() => (peak = Math.max(peak, memoryMib(gatewayPid, "VmRSS"))), 50);
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  clearInterval(sampling);
  const cpuShare = (cpuMs(gatewayPid) - cpuBefore) / (10 * seconds);
  leaving.abort();
  await watching;
  await clients.operations.cancelOperation({ name });
  const peakMb = (peak * 1.048576).toFixed(0);
  const isMet = Number(peakMb) <= MEMORY_MB;
  console.log(
    `  ${nWatchers} watchers for ${seconds} s: ${nEvents} events, ${cpuShare.toFixed(0)} % of a core, gateway at most ${peakMb} MB (before ${(before * 1.048576).toFixed(0)}; target ${MEMORY_MB}): ${isMet ? "met" : "missed"}`,
  );
}

/** The same Predict at the gateway and at the stage. */
async function targetsOf(
  services: ServiceProcesses,
  model: gatewayV1.Model,
  bag: gatewayV1.Bag,
): Promise<Record<Way, Target>> {
  const { clients, aggregate, addresses } = services;
  const request = gatewayV1.PredictRequest.fromPartial({ model: model.name, bag: bag.name });
  const inner = aggregateV1.PredictRequest.fromPartial({ model: model.reference, bag: bag.reference });
  return {
    gateway: {
      call: () => clients.prediction.predict(request),
      wire: {
        address: addresses.gateway,
        path: "/parfocal.gateway.v1.PredictionService/Predict",
        message: gatewayV1.PredictRequest.encode(request).finish(),
        nAnswerBytes: gatewayV1.PredictResponse.encode(await clients.prediction.predict(request)).finish().length,
      },
    },
    stage: {
      call: () => aggregate.predict(inner),
      wire: {
        address: addresses.aggregate,
        path: "/parfocal.aggregate.v1.AggregateService/Predict",
        message: aggregateV1.PredictRequest.encode(inner).finish(),
        nAnswerBytes: aggregateV1.PredictResponse.encode(await aggregate.predict(inner)).finish().length,
      },
    },
  };
}

async function main(options: Options): Promise<void> {
  const services = await startServiceProcesses({ PARFOCAL_THREADS: "1", PARFOCAL_STAGE_LINES: `${options.lines}` });
  const { clients } = services;
  try {
    const model: gatewayV1.Model = await trainThroughGateway(clients, D);
    const bag = await uploadSynthetic(clients, { n: options.tiles, d: D, seed: 100 });
    const targets = await targetsOf(services, model, bag);
    const { name, caller } = findCaller(options.caller);
    console.log(
      `Predict of ${options.tiles} x ${D} through the gateway, ${options.lines ? "over lines" : "without lines"}, called by ${name}, ${describeMachine()}`,
    );
    await measureAdded(services, caller, targets, options);
    await measureWatchers(services, options.watchers, options.seconds);
    console.log(`  ${describeMachine()}`);
  } finally {
    await services.close();
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    tiles: { type: "string", default: "64" },
    watchers: { type: "string", default: "500" },
    caller: { type: "string" },
    lines: { type: "boolean", default: true },
  },
  allowNegative: true,
});
if (LIGHT.every((option) => process.execArgv.includes(option))) {
  await main({
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    tiles: Number(values.tiles),
    watchers: Number(values.watchers),
    caller: values.caller,
    lines: values.lines,
  });
} else {
  const { status } = spawnSync(process.execPath, [...LIGHT, ...process.argv.slice(1)], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}
