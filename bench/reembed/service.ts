/**
 * @file The re-embedding service as it is deployed: memory of a large bag, and what Predict costs over the engine's own time.
 *
 *     node bench/reembed/service.ts [--part memory,predict] [--tiles 100000] [--rounds 3]
 *
 * `memory`: `Reembed` of an f16 bag of 2 560 features on a file store by R2T, a service process and its engine process, whose
 * resident memory is sampled together. `predict`: R2T + ABMIL of 10 000 x 1 024 through gateway, reembed and aggregate, each
 * time a bag that was never seen, then the same again; beside it the same graphs in an engine of this process: their own time on
 * a bag that is there, and with what any two-stage prediction does in the store (reading and verifying the bag, writing the
 * re-embedded one, reading and verifying that).
 */
import { parseArgs } from "node:util";
import { type BagRef, readBagHeader, writeBag } from "@parfocal/bags";
import { createEngine, type RunRequest } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { keyFromUri, type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { loadModel } from "@parfocal/training";
import { describeMachine, watchMemory } from "../lib/machine.ts";
import { type ServiceProcesses, startServiceProcesses } from "../lib/service-processes.ts";
import { median } from "../lib/statistics.ts";
import { uploadSynthetic } from "../lib/synthetic-bags.ts";
import { R2T_ABMIL, trainThroughGateway } from "../lib/trained-model.ts";

/** What the whole service may take for the bag, MiB. */
const TARGET_MIB = 2_000;

const WIDE = 2_560;
const USUAL = { n: 10_000, d: 1_024 };

/** A bag of halves from -1 to 1 in the store: the same table of numbers again and again. */
async function storeHalves(store: ObjectStore, n: number, d: number): Promise<BagRef> {
  const rng = createRng(3n);
  const table = new Float16Array(Float32Array.from({ length: 1_048_573 }, () => 2 * rng.nextFloat() - 1));
  const words = new Uint16Array(table.buffer);
  const data = new Uint16Array(n * d);
  for (let i = 0; i < data.length; i += words.length) data.set(words.subarray(0, data.length - i), i);
  return writeBag(store, "bags/", { n, d, features: { dtype: "F16", data }, metadata: {} });
}

function referenceTo(store: ObjectStore, { key, digest, sizeBytes, n, d, hasCoords }: BagRef): commonV1.BagReference {
  return commonV1.BagReference.fromPartial({
    object: { uri: uriFromKey(store, key), sha256: digest, sizeBytes: BigInt(sizeBytes) },
    ...{ tileCount: n, featureDim: d, dtype: commonV1.DataType.DATA_TYPE_F16, hasCoordinates: hasCoords },
  });
}

async function measureMemory(services: ServiceProcesses, nTiles: number): Promise<void> {
  const model = await trainThroughGateway(services.clients, WIDE, R2T_ABMIL);
  const store = openStore(services.storeUri);
  const bag = referenceTo(store, await storeHalves(store, nTiles, WIDE));
  const idle = watchMemory(services.reembedPid ?? 0).stop();
  const memory = watchMemory(services.reembedPid ?? 0);
  const startMs = performance.now();
  let doneMs = Number.NaN;
  for await (const { event } of services.reembed.reembed({ model: model.reference, bag }, { timeoutMs: 3_600_000 })) {
    if (event?.$case === "progress") doneMs = performance.now() - startMs;
  }
  const totalMs = performance.now() - startMs;
  const { peakMib, ownMib, othersMib } = memory.stop();
  const sizes = `${peakMib.toFixed(0)} MiB (service ${ownMib.toFixed(0)}, engine ${othersMib.toFixed(0)}; idle ${idle.peakMib.toFixed(0)})`;
  console.log(`Reembed of ${nTiles} x ${WIDE} f16 by R2T, ${describeMachine()}`);
  console.log(
    `  resident at most ${sizes}; read after ${(doneMs / 1000).toFixed(1)} s, done after ${(totalMs / 1000).toFixed(1)} s`,
  );
  console.log(`  target: at most ${TARGET_MIB} MiB: ${peakMib <= TARGET_MIB ? "met" : "missed"}`);
  store.close();
}

/** The engine's own time for both graphs of a published model on a bag, in this process's engine; the bag is read before. */
async function createOwnEngine(services: ServiceProcesses, model: gatewayV1.Model) {
  const store = openStore(services.storeUri);
  const manifest = keyFromUri(store, model.reference?.manifest?.uri ?? "");
  const loaded = await loadModel(store, manifest.slice(0, manifest.lastIndexOf("/")));
  const graphs = await loaded.reembed?.readGraphs({});
  const engine = createEngine({ store: { uri: services.storeUri } });
  await engine.ready();
  return {
    async timeMs(ref: BagRef): Promise<number> {
      const { etag, features } = await readBagHeader(store, ref);
      const { offsetBytes, shape } = features;
      const bag = { kind: "object", key: ref.key, etag, offsetBytes, dtype: "f32", shape } as const;
      const tiles = { kind: "resident", name: "tiles" } as const;
      if (graphs === undefined || loaded.aggregate === undefined) throw new Error("the model has no graphs");
      const runs: RunRequest[] = [
        { graph: graphs.whole, feeds: { features: bag }, fetches: { tiles } },
        { graph: loaded.aggregate, feeds: { tiles }, fetches: { probabilities: { kind: "inline" } } },
      ];
      return (await engine.run(runs)).reduce((sum, { engineMs }) => sum + engineMs, 0);
    },
    /** Both graphs with the store's part, one after the other. */
    async withStoreMs(ref: BagRef): Promise<number> {
      if (graphs === undefined || loaded.aggregate === undefined) throw new Error("the model has no graphs");
      const startMs = performance.now();
      const { etag, features } = await readBagHeader(store, ref);
      const { offsetBytes, shape } = features;
      const verify = { digest: ref.digest, sizeBytes: ref.sizeBytes };
      const bag = { kind: "object", key: ref.key, etag, offsetBytes, dtype: "f32", shape, verify } as const;
      const width = loaded.model.tileWidth;
      const none = new Uint8Array();
      const sink = { kind: "object", keyPrefix: "bench", keySuffix: "", shape: [ref.n, width] } as const;
      const [made] = await engine.run([
        { graph: graphs.whole, feeds: { features: bag }, fetches: { tiles: { ...sink, before: none, after: none } } },
      ]);
      const object = made?.objects?.tiles;
      if (object === undefined) throw new Error("the engine wrote nothing");
      const { etag: version } = await store.head(object.key);
      const tiles = { ...bag, ...object, etag: version, offsetBytes: 0, shape: [ref.n, width], verify: object };
      await engine.run([{ graph: loaded.aggregate, feeds: { tiles }, fetches: { probabilities: { kind: "inline" } } }]);
      return performance.now() - startMs;
    },
    async close() {
      await engine.close();
      store.close();
    },
  };
}

async function measurePredict(services: ServiceProcesses, nRounds: number): Promise<void> {
  const model = await trainThroughGateway(services.clients, USUAL.d, R2T_ABMIL);
  const own = await createOwnEngine(services, model);
  const store = openStore(services.storeUri);
  const times: Readonly<Record<"engine" | "stored" | "first" | "second", number>>[] = [];
  const timeMs = async (work: () => Promise<unknown>) => {
    const startMs = performance.now();
    await work();
    return performance.now() - startMs;
  };
  try {
    for (let round = 0; round <= nRounds; round++) {
      const bag = await uploadSynthetic(services.clients, { ...USUAL, seed: 100 + round });
      const predict = () =>
        services.clients.prediction.predict({ model: model.name, bag: bag.name }, { timeoutMs: 600_000 });
      const engine = await own.timeMs(refOf(store, bag));
      const [first, second] = [await timeMs(predict), await timeMs(predict)];
      const stored = await own.withStoreMs(refOf(store, bag));
      if (round > 0) times.push({ engine, stored, first, second });
    }
  } finally {
    await own.close();
    store.close();
  }
  const of = (name: "engine" | "stored" | "first" | "second") => times.map((time) => time[name]);
  const text = (values: readonly number[]) =>
    `${median(values).toFixed(0)} ms (least ${Math.min(...values).toFixed(0)})`;
  console.log(`Predict of ${USUAL.n} x ${USUAL.d} by R2T + ABMIL through three services, ${describeMachine()}`);
  console.log(
    `  engine's own ${text(of("engine"))} | with the store's part ${text(of("stored"))} | first ${text(of("first"))} | second ${text(of("second"))}`,
  );
  const over = median(times.map(({ first, engine }) => first / engine)) - 1;
  const again = median(times.map(({ first, second }) => second / first));
  const least = Math.min(...of("first")) / Math.min(...of("engine")) - 1;
  console.log(
    `  first over the engine's own: median of rounds ${(100 * over).toFixed(0)} %, of the least ${(100 * least).toFixed(0)} %`,
  );
  const overStored = median(times.map(({ first, stored }) => first / stored)) - 1;
  console.log(`  first over both with the store's part: median of rounds ${(100 * overStored).toFixed(0)} %`);
  console.log(`  second / first: median of rounds ${again.toFixed(2)}`);
}

function refOf(store: ObjectStore, { reference }: gatewayV1.Bag): BagRef {
  const { object, tileCount = 0, featureDim = 0, hasCoordinates = false } = reference ?? {};
  if (object === undefined) throw new Error("the bag has no reference");
  const { uri, sha256, sizeBytes } = object;
  return {
    ...{ key: keyFromUri(store, uri), digest: sha256, sizeBytes: Number(sizeBytes), n: Number(tileCount) },
    ...{ d: featureDim, dtype: "F32", hasCoords: hasCoordinates },
  };
}

const { values } = parseArgs({
  options: {
    part: { type: "string", default: "memory,predict" },
    tiles: { type: "string", default: "100000" },
    rounds: { type: "string", default: "3" },
  },
});
const parts = values.part.split(",");
for (const part of parts) {
  const services = await startServiceProcesses({ PARFOCAL_THREADS: "0" });
  try {
    if (part === "memory") await measureMemory(services, Number(values.tiles));
    else await measurePredict(services, Number(values.rounds));
  } finally {
    await services.close();
  }
}
