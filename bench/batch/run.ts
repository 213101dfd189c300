/**
 * @file How busy a batch keeps the engine, and what a second replica of the stage gives.
 *
 *     node bench/batch/run.ts [--bags 2000] [--tiles 1000] [--dim 512] [--rounds 1]
 *
 * Gateway and stages are processes of their own on a file store, engines have one thread each. First one replica has the machine:
 * how busy is its engine, by the time inside the runtime over the time of the batch? Then everything has one core and one replica;
 * then two cores and two replicas, every stage on a core of its own. Bags are not in the engine's cache, and each is scored once
 * in a run.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { openStore } from "@parfocal/store";
import { batchResponse, enterBags, uploadManifest } from "../../test/lib/batches.ts";
import { metadataOf } from "../../test/lib/requests.ts";
import { createClients, type ServiceProcess, startServiceProcess } from "../../test/lib/services.ts";
import { keepToCores } from "../lib/cores.ts";
import { describeMachine } from "../lib/machine.ts";
import { PARENT } from "../lib/synthetic-bags.ts";
import { trainThroughGateway } from "../lib/trained-model.ts";

const TARGETS = { busy: 0.85, scaling: 1.7 };

const PROJECT = "bench";

interface Options {
  readonly bags: number;
  readonly tiles: number;
  readonly dim: number;
  readonly rounds: number;
}

/** Keeps this process, and those it starts from now on, to cores. */
function bind(cores: string): void {
  keepToCores(cores, [process.pid]);
}

interface Measured {
  readonly busy: number;
  readonly bagsPerS: number;
}

/** Cores of each replica, and those of the gateway. */
interface Layout {
  readonly name: string;
  readonly replicas: readonly string[];
  readonly gateway: string;
}

const ALONE: Layout = { name: "one replica, two cores ", replicas: ["0-1"], gateway: "0-1" };
const ONE: Layout = { name: "one replica, one core  ", replicas: ["0"], gateway: "0" };
const TWO: Layout = { name: "two replicas, two cores", replicas: ["0", "1"], gateway: "0-1" };

async function measure(storeUri: string, names: readonly string[], dim: number, layout: Layout): Promise<Measured> {
  // Nothing of a bag stays in the engine from one run to the next.
  const env = { PARFOCAL_STORE: storeUri, PARFOCAL_THREADS: "1", PARFOCAL_BAG_CACHE_MB: "0" };
  const stages: ServiceProcess[] = [];
  for (const cores of layout.replicas) {
    bind(cores);
    stages.push(await startServiceProcess("aggregate", env));
  }
  bind(layout.gateway);
  const addresses = stages.map(({ address }) => address).join(",");
  const gateway = await startServiceProcess("gateway", { ...env, PARFOCAL_AGGREGATE_ADDRESS: addresses });
  const clients = createClients(gateway.address);
  try {
    const model = await trainThroughGateway(clients, dim);
    const run = async (bags: readonly string[]) => {
      const manifestUpload = await uploadManifest(clients, `bag\n${bags.join("\n")}\n`, PARENT);
      const request = { parent: PARENT, models: [model.name], manifestUpload };
      const startMs = performance.now();
      const operation = await clients.prediction.batchPredict(request);
      const { scoredCount } = await batchResponse(clients, operation);
      const seconds = (performance.now() - startMs) / 1000;
      if (scoredCount !== BigInt(bags.length)) throw new Error(`${scoredCount} of ${bags.length} bags were scored`);
      const { counters } = metadataOf(await clients.operations.getOperation({ name: operation.name }));
      return { seconds, engineS: counters.engine_s ?? 0 };
    };
    // Loads the model and opens the connections.
    await run(names.slice(0, 64));
    const { seconds, engineS } = await run(names);
    return { busy: engineS / seconds / layout.replicas.length, bagsPerS: names.length / seconds };
  } finally {
    clients.channel.close();
    await gateway.end("SIGTERM");
    for (const stage of stages) await stage.end("SIGTERM");
  }
}

function show({ name }: Layout, { busy, bagsPerS }: Measured, verdict = ""): void {
  console.log(
    `  ${name}: ${bagsPerS.toFixed(1)} bags/s, engine ${(100 * busy).toFixed(1)} % busy ${verdict}`.trimEnd(),
  );
}

async function main(options: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const storeUri = pathToFileURL(join(folder, "store")).href;
  const store = openStore(storeUri);
  try {
    const names = await enterBags(store, PROJECT, { count: options.bags, n: options.tiles, d: options.dim });
    console.log(`batch of ${options.bags} bags of ${options.tiles} x ${options.dim} f32, ${describeMachine()}`);
    for (let round = 0; round < options.rounds; round++) {
      const alone = await measure(storeUri, names, options.dim, ALONE);
      const one = await measure(storeUri, names, options.dim, ONE);
      const two = await measure(storeUri, names, options.dim, TWO);
      show(ALONE, alone, `target ${100 * TARGETS.busy}: ${alone.busy >= TARGETS.busy ? "met" : "missed"}`);
      show(ONE, one);
      show(TWO, two);
      const scaling = two.bagsPerS / one.bagsPerS;
      const verdict = scaling >= TARGETS.scaling ? "met" : "missed";
      console.log(
        `  two over one: ${scaling.toFixed(2)} (target ${TARGETS.scaling}): ${verdict}; ${describeMachine()}`,
      );
    }
  } finally {
    store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    bags: { type: "string", default: "2000" },
    tiles: { type: "string", default: "1000" },
    dim: { type: "string", default: "512" },
    rounds: { type: "string", default: "1" },
  },
});
await main({
  bags: Number(values.bags),
  tiles: Number(values.tiles),
  dim: Number(values.dim),
  rounds: Number(values.rounds),
});
