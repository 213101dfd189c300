/**
 * @file What the gateway adds to a Predict at half of its load, how many calls a core of it carries, and what 500 Watch
 * streams cost it.
 *
 *     node bench/gateway/run.ts [--seconds 10] [--rounds 3] [--tiles 64] [--watchers 500]
 *
 * Gateway, stage and client are processes of their own; model and bag are cached before. The most calls per second are
 * found with eight at a time through the gateway; then calls begin at half of that, through the gateway and at the stage
 * itself in turns, timed from the moment each was due. Callers would be on other machines: this process takes as little of
 * the processors as it can, with one helper for its own collections and a small nursery.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import type { gatewayV1 } from "@parfocal/protocol";
import { plantCohort } from "../../test/lib/cohort.ts";
import { trainRequest, uploadCohort } from "../../test/lib/requests.ts";
import { cpuMs, describeMachine, machineCpuMs, memoryMib, withChildren } from "../lib/machine.ts";
import { type ServiceProcesses, startServiceProcesses } from "../lib/service-processes.ts";
import { median, quantile } from "../lib/statistics.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { trainThroughGateway } from "../lib/trained-model.ts";
import { closedLoop, openLoop } from "./open-loop.ts";

const D = 1024;
const CONCURRENCY = 8;
/** What the gateway may add at half load, milliseconds, and what it may hold with all watchers, MB. */
const TARGETS = { p50Ms: 1, p99Ms: 10, memoryMb: 300 };

/** What this process is started again with. */
const LIGHT = ["--v8-pool-size=1", "--max-semi-space-size=4"];

interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly tiles: number;
  readonly watchers: number;
}

/** Calls per second of one core of the gateway: what it takes of a processor for a call, whoever else is busy. */
async function measureThroughput(services: ServiceProcesses, call: () => Promise<unknown>, seconds: number) {
  await closedLoop(call, CONCURRENCY, Math.min(3, seconds));
  const before = cpuMs(services.gatewayPid);
  const startMs = performance.now();
  const ratePerS = await closedLoop(call, CONCURRENCY, seconds);
  const nCalls = (ratePerS * (performance.now() - startMs)) / 1000;
  const cpuPerCallMs = (cpuMs(services.gatewayPid) - before) / nCalls;
  console.log(
    `  ${CONCURRENCY} at a time: ${ratePerS.toFixed(0)} calls/s; gateway ${cpuPerCallMs.toFixed(2)} ms of a processor per call, ${(1000 / cpuPerCallMs).toFixed(0)} calls/s/core`,
  );
  return ratePerS;
}

/** Processor time that processes beside this benchmark and its services have used, ms. */
function othersCpuMs({ gatewayPid, aggregatePid, reembedPid }: ServiceProcesses): number {
  const services = [gatewayPid, aggregatePid, reembedPid].flatMap((pid) =>
    pid === undefined ? [] : withChildren(pid),
  );
  return [process.pid, ...services].reduce((left, pid) => left - cpuMs(pid), machineCpuMs());
}

async function measureAdded(
  services: ServiceProcesses,
  calls: { readonly gateway: () => Promise<unknown>; readonly stage: () => Promise<unknown> },
  ratePerS: number,
  { seconds, rounds }: Options,
): Promise<void> {
  const latencies = { gateway: [] as number[], stage: [] as number[] };
  const ownDelaysMs: number[] = [];
  const othersPercent: number[] = [];
  let nFailed = 0;
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ["gateway", "stage"] as const) {
      const [before, startMs] = [othersCpuMs(services), performance.now()];
      const result = await openLoop(calls[way], ratePerS, seconds);
      othersPercent.push((100 * (othersCpuMs(services) - before)) / (performance.now() - startMs));
      latencies[way].push(...result.latenciesMs);
      nFailed += result.nFailed;
      ownDelaysMs.push(result.ownDelayP99Ms);
    }
  }
  const [through, direct] = [latencies.gateway, latencies.stage];
  const text = (values: readonly number[]) =>
    [10, 50, 99].map((p) => `p${p} ${quantile(values, p / 100).toFixed(2)}`).join(", ");
  console.log(`  at half load, ${ratePerS.toFixed(0)} calls/s, ${through.length} calls each, ${nFailed} failed, ms:`);
  console.log(`    through the gateway  ${text(through)}`);
  console.log(`    at the stage         ${text(direct)}`);
  console.log(
    `    delay of this process's own event loop, p99 of each turn: ${median(ownDelaysMs).toFixed(2)} in the median`,
  );
  console.log(
    `    others had ${othersPercent.map((percent) => percent.toFixed(0)).join(", ")} % of a core in the turns`,
  );
  const added = (q: number) => quantile(through, q) - quantile(direct, q);
  const isMet = added(0.5) <= TARGETS.p50Ms && added(0.99) <= TARGETS.p99Ms;
  console.log(
    `    added                p10 ${added(0.1).toFixed(2)}, p50 ${added(0.5).toFixed(2)} (target ${TARGETS.p50Ms}), p99 ${added(0.99).toFixed(2)} (target ${TARGETS.p99Ms}): ${isMet ? "met" : "missed"}`,
  );
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
  const isMet = Number(peakMb) <= TARGETS.memoryMb;
  console.log(
    `  ${nWatchers} watchers for ${seconds} s: ${nEvents} events, ${cpuShare.toFixed(0)} % of a core, gateway at most ${peakMb} MB (before ${(before * 1.048576).toFixed(0)}; target ${TARGETS.memoryMb}): ${isMet ? "met" : "missed"}`,
  );
}

async function main(options: Options): Promise<void> {
  const services = await startServiceProcesses({ PARFOCAL_THREADS: "1" });
  const { clients, aggregate } = services;
  try {
    const model: gatewayV1.Model = await trainThroughGateway(clients, D);
    const bag = await uploadSynthetic(clients, { n: options.tiles, d: D, seed: 100 });
    const gateway = () => clients.prediction.predict({ model: model.name, bag: bag.name });
    const stage = () => aggregate.predict({ model: model.reference, bag: bag.reference });
    console.log(`Predict of ${options.tiles} x ${D} through the gateway, ${describeMachine()}`);
    const mostPerS = await measureThroughput(services, gateway, options.seconds);
    await measureAdded(services, { gateway, stage }, mostPerS / 2, options);
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
  },
});
if (LIGHT.every((option) => process.execArgv.includes(option))) {
  await main({
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    tiles: Number(values.tiles),
    watchers: Number(values.watchers),
  });
} else {
  const { status } = spawnSync(process.execPath, [...LIGHT, ...process.argv.slice(1)], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}
