import { availableParallelism } from "node:os";
import { keepToCores } from "../lib/cores.ts";
import { cpuMs, machineCpuMs, withChildren } from "../lib/machine.ts";
import type { ServiceProcesses } from "../lib/service-processes.ts";
import { quantile } from "../lib/statistics.ts";
import { drawArrivals } from "./arrivals.ts";
import { type Caller, CONCURRENCY, type Target } from "./caller.ts";

/** What the gateway may add at half load, ms. */
const TARGETS = { p50Ms: 1, p99Ms: 10 };

const WAYS = ["gateway", "stage"] as const;

/** Where a call goes. */
export type Way = (typeof WAYS)[number];

/** Options of {@link measureAdded}. */
export interface AddedOptions {
  /** How long a turn lasts, s. */
  readonly seconds: number;
  /** Turns of both ways. */
  readonly rounds: number;
}

/** Every core of the machine. */
const ALL = `0-${availableParallelism() - 1}`;

/**
 * Which cores they have: the gateway one and the stage the other, as if on machines of their own; or both all of them, where they
 * wait for each other too.
 */
const PLACEMENTS = {
  "the gateway on a core, the stage and its engine on another": { gateway: "0", stage: "1" },
  "all on the same cores": { gateway: ALL, stage: ALL },
} as const;

/** Measures and prints, for each of {@link PLACEMENTS}, the most calls per second and what the gateway adds at half of them. */
export async function measureAdded(
  services: ServiceProcesses,
  caller: Caller,
  targets: Readonly<Record<Way, Target>>,
  options: AddedOptions,
): Promise<void> {
  for (const [name, cores] of Object.entries(PLACEMENTS)) {
    keepToCores(cores.gateway, withChildren(services.gatewayPid ?? 0));
    keepToCores(cores.stage, withChildren(services.aggregatePid ?? 0));
    console.log(`  ${name}:`);
    const mostPerS = await measureThroughput(services, caller, targets.gateway, options.seconds);
    await measureAtRate(services, caller, targets, mostPerS / 2, options);
  }
}

/** Calls per second of one core of the gateway: what it takes of a processor for a call, whoever else is busy. */
async function measureThroughput(services: ServiceProcesses, caller: Caller, target: Target, seconds: number) {
  await caller.keepRunning(target, Math.min(3, seconds));
  const stage = withChildren(services.aggregatePid ?? 0);
  const stageMs = () => stage.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const [before, stageBefore, startMs] = [cpuMs(services.gatewayPid), stageMs(), performance.now()];
  const callsPerS = await caller.keepRunning(target, seconds);
  const nCalls = (callsPerS * (performance.now() - startMs)) / 1000;
  const cpuPerCallMs = (cpuMs(services.gatewayPid) - before) / nCalls;
  const stagePerCallMs = (stageMs() - stageBefore) / nCalls;
  console.log(
    `    ${CONCURRENCY} at a time: ${callsPerS.toFixed(0)} calls/s; gateway ${cpuPerCallMs.toFixed(2)} ms of a processor per call, ${(1000 / cpuPerCallMs).toFixed(0)} calls/s/core; stage and engine ${stagePerCallMs.toFixed(2)} ms`,
  );
  return callsPerS;
}

/** Processor time that processes beside the services have used, the caller among them, ms. */
function othersCpuMs({ gatewayPid, aggregatePid, reembedPid }: ServiceProcesses): number {
  const services = [gatewayPid, aggregatePid, reembedPid].flatMap((pid) =>
    pid === undefined ? [] : withChildren(pid),
  );
  return services.reduce((left, pid) => left - cpuMs(pid), machineCpuMs());
}

async function measureAtRate(
  services: ServiceProcesses,
  caller: Caller,
  targets: Readonly<Record<Way, Target>>,
  ratePerS: number,
  { seconds, rounds }: AddedOptions,
): Promise<void> {
  const latencies: Record<Way, number[]> = { gateway: [], stage: [] };
  const othersPercent: number[] = [];
  let nFailed = 0;
  for (let round = 0; round < rounds; round += 1) {
    const arrivalsMs = drawArrivals({ ratePerS, seconds, seed: round });
    for (const way of WAYS) {
      const [before, startMs] = [othersCpuMs(services), performance.now()];
      const result = await caller.beginAt(targets[way], arrivalsMs);
      othersPercent.push((100 * (othersCpuMs(services) - before)) / (performance.now() - startMs));
      latencies[way].push(...result.latenciesMs);
      nFailed += result.nFailed;
    }
  }
  const hadPerS = latencies.gateway.length / (rounds * seconds);
  printAdded(latencies, `${hadPerS.toFixed(0)} calls/s (half of the most: ${ratePerS.toFixed(0)}), ${nFailed} failed`);
  const others = othersPercent.map((percent) => percent.toFixed(0)).join(", ");
  console.log(`      caller and others had ${others} % of a core in the turns`);
}

function printAdded({ gateway, stage }: Readonly<Record<Way, readonly number[]>>, load: string): void {
  const text = (values: readonly number[]) =>
    [10, 50, 90, 99].map((p) => `p${p} ${quantile(values, p / 100).toFixed(2)}`).join(", ");
  console.log(`    at half load, ${load}, ms:`);
  console.log(`      through the gateway  ${text(gateway)} of ${gateway.length} calls`);
  console.log(`      at the stage         ${text(stage)} of ${stage.length} calls`);
  const added = (q: number) => quantile(gateway, q) - quantile(stage, q);
  const isMet = added(0.5) <= TARGETS.p50Ms && added(0.99) <= TARGETS.p99Ms;
  console.log(
    `      added                p10 ${added(0.1).toFixed(2)}, p50 ${added(0.5).toFixed(2)} (target ${TARGETS.p50Ms}), p99 ${added(0.99).toFixed(2)} (target ${TARGETS.p99Ms}): ${isMet ? "met" : "missed"}`,
  );
}
