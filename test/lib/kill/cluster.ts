/**
 * @file A deployment of real processes on a file store, any of which can be killed and comes back.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type Clients, createClients, type ServiceEnv, type ServiceProcess, startServiceProcess } from "../services.ts";
import { startTemporalServer, type TemporalServer } from "../temporal-server.ts";

/** A dead worker is noticed after this; the ten seconds of the default would be most of a round. */
const LOST_AFTER_MS = 3_000;

/** What runs the operations. */
export type DriverKind = "embedded" | "temporal";

/** What can be killed; `frozen` is a worker that stands still until it counts as dead, and then goes on. */
export type Victim = "gateway" | "worker" | "stage" | "engine" | "frozen";

/** A deployment that runs. */
export interface Cluster {
  /** Clients of the gateway; the channel finds it again after a restart. */
  readonly clients: Clients;
  readonly victims: readonly Victim[];
  /** Kills a process by `kill -9`, starts it again, and resolves when it serves; an engine is started by its stage. */
  kill(victim: Victim): Promise<void>;
  close(): Promise<void>;
}

/** One service, its port kept over restarts. */
interface Place {
  readonly name: "gateway" | "aggregate";
  readonly env: ServiceEnv;
  running: ServiceProcess;
}

/**
 * Starts a gateway and an aggregation stage on a store in `folder`, which `importRoot` may be imported from. With Temporal: a
 * server with its database in `folder`, and a worker beside the gateway, which is one as well.
 */
export async function startCluster(kind: DriverKind, folder: string, importRoot: string): Promise<Cluster> {
  const server = kind === "temporal" ? await startTemporalServer({ database: join(folder, "temporal.db") }) : undefined;
  const env = { PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href, PARFOCAL_PROBE_STORE: "false" };
  const stage = await startPlace("aggregate", env);
  const gatewayEnv = {
    ...env,
    PARFOCAL_AGGREGATE_ADDRESS: stage.running.address,
    PARFOCAL_IMPORT_ROOTS: pathToFileURL(importRoot).href,
    ...temporalEnv(server),
  };
  const gateway = await startPlace("gateway", gatewayEnv);
  const worker =
    server === undefined ? undefined : await startPlace("gateway", { ...gatewayEnv, PARFOCAL_TEMPORAL_ROLE: "worker" });
  const clients = createClients(gateway.running.address);
  const places = { gateway, worker, stage };
  return {
    clients,
    victims: ["gateway", "stage", "engine", ...(worker === undefined ? [] : (["worker", "frozen"] as const))],
    async kill(victim) {
      if (victim === "frozen") return await freeze(worker);
      if (victim === "engine") return await killEngine(stage);
      const place = places[victim];
      if (place === undefined) throw new Error(`there is no ${victim}`);
      await place.running.end("SIGKILL");
      place.running = await restart(place);
    },
    async close() {
      clients.channel.close();
      for (const place of [worker, gateway, stage]) await place?.running.end("SIGKILL");
      await server?.stop();
    },
  };
}

function temporalEnv(server: TemporalServer | undefined): ServiceEnv {
  if (server === undefined) return {};
  const name = { PARFOCAL_WORKFLOWS: "temporal", PARFOCAL_TEMPORAL_ADDRESS: server.address };
  return { ...name, PARFOCAL_TEMPORAL_LOST_AFTER_MS: String(LOST_AFTER_MS) };
}

async function startPlace(name: Place["name"], env: ServiceEnv): Promise<Place> {
  const running = await startServiceProcess(name, env);
  return { name, env: { ...env, PORT: running.address.split(":")[1] ?? "0" }, running };
}

/** Its work goes to another meanwhile; what it does when it goes on must not count. */
async function freeze(worker: Place | undefined): Promise<void> {
  worker?.running.process.kill("SIGSTOP");
  await sleep(LOST_AFTER_MS + 1_500);
  worker?.running.process.kill("SIGCONT");
}

/** What the killed process held (its port, its lock) may be free a moment later only. */
async function restart({ name, env }: Place): Promise<ServiceProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startServiceProcess(name, env);
    } catch (error) {
      if (attempt >= 5) throw error;
      await sleep(200 * attempt);
    }
  }
}

async function killEngine(stage: Place): Promise<void> {
  for (const pid of childrenOf(stage.running.process.pid)) process.kill(pid, "SIGKILL");
}

/** The processes that a process started. */
function childrenOf(pid: number | undefined): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(/\s+/u).map(Number);
}
