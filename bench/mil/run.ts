/**
 * @file 10-fold cross-validation of the classic multiple-instance data sets through the gateway.
 *
 *     node bench/mil/run.ts [--sets musk1,fox] [--heads abmil,clam-sb,…] [--reembed none,r2t,roformer] [--repeats 3] [--first 1]
 *         [--replicas 2] [--data FOLDER] [--json FILE]
 *
 * Folds spread over `--replicas` stages of one engine thread each: these bags are too small to share a product between cores.
 * Repeat r has its own folds and seeds, whichever `--first` it is run under: runs can be cut into pieces.
 */
import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isDomainError } from "@parfocal/errors";
import { auroc, splitPatients } from "@parfocal/metrics";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { type Clients, createClients, type ServiceProcess, startServiceProcess } from "../../test/lib/services.ts";
import { describeMachine } from "../lib/machine.ts";
import { piecesOf } from "../lib/upload.ts";
import { MIL_HEADS } from "./heads.ts";
import { MIL_SETS, type MilOptions, type MilSet, specOf } from "./protocol.ts";
import { MIL_REEMBEDDERS } from "./reembedders.ts";

const N_FOLDS = 10;
const PROJECT = "mil";

interface Labelled {
  readonly name: string;
  readonly label: number;
}

/** Accuracy and AUROC of one repeat, pooled over its folds. */
interface RepeatResult {
  readonly accuracy: number;
  readonly auroc: number;
}

async function importSet(clients: Clients, path: string): Promise<Labelled[]> {
  const { bags } = await clients.bags.uploadBag(piecesOf(path, PROJECT), { timeoutMs: 600_000 });
  return bags.map(({ result }) => {
    if (result?.$case !== "bag") throw new Error(`not imported: ${result?.value.message ?? "no result"}`);
    return { name: result.value.name, label: Number(result.value.info?.sourceLabel) };
  });
}

/** Waits that may lose their connection before a fold is given up, and the pause between them. */
const MAX_WAITS = 100;
const LOST_MS = 3_000;

/** The finished operation. A starved machine may lose the connection to a call of an hour; the operation goes on without it. */
async function waitFor(clients: Clients, name: string): Promise<googleLongrunning.Operation> {
  for (let nLost = 1; ; nLost++) {
    try {
      return await clients.operations.waitOperation({ name }, { timeoutMs: 3_600_000 });
    } catch (error) {
      // A stream that the server's own timer ended comes as INTERNAL.
      const isLost = isDomainError(error, "UNREACHABLE") || isDomainError(error, "INTERNAL");
      if (!isLost || nLost === MAX_WAITS) throw error;
      await sleep(LOST_MS);
    }
  }
}

/** The finished model of an operation. */
async function finish(clients: Clients, operation: googleLongrunning.Operation): Promise<gatewayV1.Model> {
  const done = await waitFor(clients, operation.name);
  if (done.result?.$case !== "response") throw new Error(done.result?.value.message ?? "the operation is not done");
  const { model } = gatewayV1.GetModelResponse.decode(done.result.value.value);
  if (model === undefined) throw new Error("the operation has no model");
  return model;
}

async function runFold(
  clients: Clients,
  bags: readonly Labelled[],
  held: ReadonlySet<number>,
  spec: commonV1.TrainingSpec,
): Promise<{ index: number; probability: number }[]> {
  const labelled = bags.map(({ name, label }, index) => ({
    bag: name,
    labels: [`${label}`],
    part: held.has(index) ? commonV1.Part.PART_TEST : commonV1.Part.PART_TRAIN,
  }));
  const request = { parent: `projects/${PROJECT}`, modelId: "abmil", bags: labelled, spec };
  const model = await finish(clients, await clients.training.train(request));
  const predicted: { index: number; probability: number }[] = [];
  // One at a time: a gateway refuses more calls at once than it is set to take.
  for (const index of held) {
    const { prediction } = await clients.prediction.predict({ model: model.name, bag: bags[index]?.name ?? "" });
    predicted.push({ index, probability: prediction?.probabilities[1]?.probability ?? Number.NaN });
  }
  return predicted;
}

async function runRepeat(
  clients: Clients,
  set: MilSet,
  bags: readonly Labelled[],
  { seed, ...options }: MilOptions,
): Promise<RepeatResult> {
  const labels = bags.map(({ label }) => label);
  const patients = bags.map(({ name }) => name);
  const folds = splitPatients({ patients, labels, plan: { kind: "folds", nFolds: N_FOLDS }, seed: BigInt(seed) });
  const probabilities = new Array<number>(bags.length).fill(Number.NaN);
  const perFold = await Promise.all(
    folds.map(({ test }, k) => runFold(clients, bags, new Set(test), specOf(set, { ...options, seed: seed + k }))),
  );
  for (const { index, probability } of perFold.flat()) probabilities[index] = probability;
  const nRight = probabilities.filter((probability, i) => Number(probability >= 0.5) === labels[i]).length;
  return { accuracy: nRight / bags.length, auroc: auroc(labels, probabilities) ?? Number.NaN };
}

function meanAndSd(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return `${mean.toFixed(3)} ± ${Math.sqrt(variance).toFixed(3)}`;
}

/** Runs `body` on a gateway and its stages with a store of their own. */
async function withServices<T>(nReplicas: number, body: (clients: Clients) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-mil-"));
  const env = { PARFOCAL_STORE: pathToFileURL(folder).href, PARFOCAL_THREADS: "1" };
  const running: ServiceProcess[] = [];
  const start = async (
    name: Parameters<typeof startServiceProcess>[0],
    more: Readonly<Record<string, string>> = {},
  ) => {
    const service = await startServiceProcess(name, { ...env, ...more });
    running.unshift(service);
    return service.address;
  };
  try {
    const replicas = Array.from({ length: nReplicas }, () => start("aggregate"));
    const gateway = await start("gateway", {
      PARFOCAL_AGGREGATE_ADDRESS: (await Promise.all(replicas)).join(","),
      PARFOCAL_REEMBED_ADDRESS: await start("reembed"),
      PARFOCAL_MAX_OPERATIONS: `${nReplicas}`,
    });
    const clients = createClients(gateway);
    try {
      return await body(clients);
    } finally {
      clients.channel.close();
    }
  } finally {
    for (const service of running) await service.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly set: MilSet;
  readonly reembed: string;
  /** One of `MIL_HEADS`. */
  readonly head: string;
  readonly replicas: number;
  readonly repeats: number;
  /** Number of the first repeat, from 1. */
  readonly first: number;
  readonly path: string;
}

/** All repeats of one set with one re-embedder, as a line of the table. */
async function runSet({ set, reembed, head, replicas, repeats, first, path }: Run): Promise<object> {
  const start = performance.now();
  const results: RepeatResult[] = [];
  const nBags = await withServices(replicas, async (clients) => {
    const bags = await importSet(clients, path);
    const reembedder = MIL_REEMBEDDERS.get(reembed);
    const kind = MIL_HEADS.get(head);
    if (kind === undefined) throw new Error(`there is no head ${head}`);
    for (let repeat = first; repeat < first + repeats; repeat++) {
      results.push(await runRepeat(clients, set, bags, { head: kind, reembedder, seed: 1000 * repeat }));
      console.error(`${set.name} ${head} ${reembed} repeat ${repeat}: ${JSON.stringify(results.at(-1))}`);
    }
    return bags.length;
  });
  return {
    set: set.name,
    reembed,
    head,
    bags: nBags,
    repeats,
    accuracy: meanAndSd(results.map(({ accuracy }) => accuracy)),
    auroc: meanAndSd(results.map(({ auroc }) => auroc)),
    ...knownOf(set, head),
    wallS: Math.round((performance.now() - start) / 1000),
  };
}

/** What others reached without a re-embedder; only attention pooling is known. */
function knownOf(set: MilSet, head: string): object {
  const index = ["abmil", "gated-abmil"].indexOf(head);
  if (index < 0) return {};
  const { reference, published } = set;
  return {
    reference: `${reference.accuracy[index]} / ${reference.auroc[index]}`,
    published: published?.[index] ?? null,
  };
}

/** The names of a list, each of which must be known. */
function chosen(list: string, known: Iterable<string>): string[] {
  const all = [...known];
  const names = list.split(",");
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`there is no "${unknown}"; there are ${all.join(", ")}`);
  return names;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sets: { type: "string", default: MIL_SETS.map(({ name }) => name).join(",") },
      reembed: { type: "string", default: "none" },
      repeats: { type: "string", default: "3" },
      first: { type: "string", default: "1" },
      heads: { type: "string", default: "abmil" },
      replicas: { type: "string", default: "2" },
      data: { type: "string", default: join(import.meta.dirname, "../../../shared/data/mil") },
      json: { type: "string" },
    },
  });
  if (!existsSync(values.data)) throw new Error(`no data folder ${values.data}: give one with --data`);
  const names = chosen(
    values.sets,
    MIL_SETS.map(({ name }) => name),
  );
  const reembedders = chosen(values.reembed, MIL_REEMBEDDERS.keys());
  const heads = chosen(values.heads, MIL_HEADS.keys());
  console.error(describeMachine());
  const lines: object[] = [];
  for (const set of MIL_SETS.filter(({ name }) => names.includes(name))) {
    for (const [reembed, head] of reembedders.flatMap((each) => heads.map((name) => [each, name] as const))) {
      const path = join(values.data, `${set.name}.csv`);
      const [repeats, first, replicas] = [Number(values.repeats), Number(values.first), Number(values.replicas)];
      lines.push(await runSet({ set, reembed, head, replicas, repeats, first, path }));
      console.log(JSON.stringify(lines.at(-1)));
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(lines, null, 2)}\n`);
}

await main();
