/**
 * @file How the calls of a gateway grow with its replicas: one on one core, then two on two, of one store and one Temporal server.
 *
 *     node bench/gateway/replicas.ts [--seconds 10] [--rounds 3]
 *
 * The call is one that a gateway answers by itself, GetBag of a bag that it knows, eight at a time on a connection to each
 * replica: a Predict's stage would be on the same cores. The caller is h2load (Debian: nghttp2-client); its own share of the cores,
 * which the second replica does not get, is printed. Needs `taskset` and a Temporal server (`scripts/ci-temporal.sh`).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { gatewayV1 } from "@parfocal/protocol";
import { imageOptionsOf } from "../../test/lib/image-options.ts";
import { createClients, type ServiceProcess, startServiceProcess } from "../../test/lib/services.ts";
import { startTemporalServer } from "../../test/lib/temporal-server.ts";
import { keepToCores } from "../lib/cores.ts";
import { cpuMs, describeMachine, machineCpuMs } from "../lib/machine.ts";
import { median } from "../lib/statistics.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { CONCURRENCY } from "./caller.ts";
import { keepRunning, type WireCall } from "./h2load.ts";

const CORES = ["0", "1"] as const;

async function startGateway(core: string, env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const { nodeOptions, execArgv } = await imageOptionsOf("gateway");
  const gateway = await startServiceProcess("gateway", { ...env, NODE_OPTIONS: nodeOptions }, execArgv);
  keepToCores(core, [gateway.process.pid ?? 0]);
  return gateway;
}

/** GetBag at a gateway, which has answered it once. */
async function callOf({ address }: ServiceProcess, name: string): Promise<WireCall> {
  const clients = createClients(address);
  try {
    const request = gatewayV1.GetBagRequest.fromPartial({ name });
    const answer = gatewayV1.GetBagResponse.encode(await clients.bags.getBag(request)).finish();
    const message = gatewayV1.GetBagRequest.encode(request).finish();
    return { address, path: "/parfocal.gateway.v1.BagService/GetBag", message, nAnswerBytes: answer.length };
  } finally {
    clients.channel.close();
  }
}

/** Calls per second of `gateways` together. */
async function measure(gateways: readonly ServiceProcess[], bag: string, seconds: number): Promise<number> {
  const calls = await Promise.all(gateways.map((gateway) => callOf(gateway, bag)));
  const ownMs = () => gateways.reduce((sum, { process: { pid } }) => sum + cpuMs(pid), 0);
  const [own, all, startMs] = [ownMs(), machineCpuMs(), performance.now()];
  const results = await Promise.all(calls.map((call) => keepRunning(call, CONCURRENCY, seconds)));
  const [usedMs, tookMs] = [ownMs() - own, performance.now() - startMs];
  const callsPerS = results.reduce((sum, result) => sum + result.callsPerS, 0);
  const percent = (ms: number) => `${((100 * ms) / tookMs).toFixed(0)} %`;
  console.log(
    `  ${gateways.length}: ${callsPerS.toFixed(0)} calls/s; gateways ${percent(usedMs)} of a core, ${((callsPerS * tookMs) / usedMs).toFixed(0)} calls/s/core; caller and others ${percent(machineCpuMs() - all - usedMs)}`,
  );
  return callsPerS;
}

async function main(seconds: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const server = await startTemporalServer();
  const env = {
    PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href,
    // Nothing is asked of a stage.
    PARFOCAL_AGGREGATE_ADDRESS: "127.0.0.1:1",
    ...{ PARFOCAL_WORKFLOWS: "temporal", PARFOCAL_TEMPORAL_ADDRESS: server.address },
  };
  const gateways: ServiceProcess[] = [];
  try {
    for (const core of CORES) gateways.push(await startGateway(core, env));
    const clients = createClients(gateways[0]!.address);
    const { name } = await uploadSynthetic(clients, { n: 64, d: 64, seed: 1 });
    clients.channel.close();
    console.log(`GetBag at gateways on a core each, ${CONCURRENCY} at a time each, ${describeMachine()}`);
    for (const gateway of gateways) await keepRunning(await callOf(gateway, name), CONCURRENCY, Math.min(3, seconds));
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const one = await measure(gateways.slice(0, 1), name, seconds);
      ratios.push((await measure(gateways, name, seconds)) / one);
    }
    console.log(`  two over one: ${median(ratios).toFixed(2)} (median of ${rounds}); ${describeMachine()}`);
  } finally {
    for (const gateway of gateways) await gateway.end("SIGTERM");
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "10" }, rounds: { type: "string", default: "3" } },
});
await main(Number(values.seconds), Number(values.rounds));
