/**
 * @file 10-fold cross-validation of the classic multiple-instance data sets through the gateway.
 *
 *     node bench/mil/run.ts [--sets musk1,fox] [--repeats 3] [--gated] [--data FOLDER] [--json FILE]
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { auroc, splitPatients } from "@parfocal/metrics";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { type Embedded, startEmbedded } from "../lib/embedded.ts";
import { piecesOf } from "../lib/upload.ts";
import { MIL_SETS, type MilSet, specOf } from "./protocol.ts";

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

async function importSet(embedded: Embedded, path: string): Promise<Labelled[]> {
  const { bags } = await embedded.bags.uploadBag(piecesOf(path, PROJECT), { timeoutMs: 600_000 });
  return bags.map(({ result }) => {
    if (result?.$case !== "bag") throw new Error(`not imported: ${result?.value.message ?? "no result"}`);
    return { name: result.value.name, label: Number(result.value.info?.sourceLabel) };
  });
}

/** The finished model of an operation. */
async function finish(embedded: Embedded, operation: googleLongrunning.Operation): Promise<gatewayV1.Model> {
  const done = await embedded.operations.waitOperation({ name: operation.name }, { timeoutMs: 3_600_000 });
  if (done.result?.$case !== "response") throw new Error(done.result?.value.message ?? "the operation is not done");
  const { model } = gatewayV1.GetModelResponse.decode(done.result.value.value);
  if (model === undefined) throw new Error("the operation has no model");
  return model;
}

async function runFold(
  embedded: Embedded,
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
  const model = await finish(embedded, await embedded.training.train(request));
  const predicted: { index: number; probability: number }[] = [];
  // One at a time: a gateway refuses more calls at once than it is set to take.
  for (const index of held) {
    const { prediction } = await embedded.prediction.predict({ model: model.name, bag: bags[index]?.name ?? "" });
    predicted.push({ index, probability: prediction?.probabilities[1]?.probability ?? Number.NaN });
  }
  return predicted;
}

async function runRepeat(
  embedded: Embedded,
  set: MilSet,
  bags: readonly Labelled[],
  options: { readonly gated: boolean; readonly repeat: number },
): Promise<RepeatResult> {
  const seed = 1000 * (options.repeat + 1);
  const labels = bags.map(({ label }) => label);
  const patients = bags.map(({ name }) => name);
  const folds = splitPatients({ patients, labels, plan: { kind: "folds", nFolds: N_FOLDS }, seed: BigInt(seed) });
  const probabilities = new Array<number>(bags.length).fill(Number.NaN);
  const perFold = await Promise.all(
    folds.map(({ test }, k) =>
      runFold(embedded, bags, new Set(test), specOf(set, { gated: options.gated, seed: seed + k })),
    ),
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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sets: { type: "string", default: MIL_SETS.map(({ name }) => name).join(",") },
      repeats: { type: "string", default: "3" },
      gated: { type: "boolean", default: false },
      data: { type: "string", default: join(import.meta.dirname, "../../../shared/data/mil") },
      json: { type: "string" },
    },
  });
  if (!existsSync(values.data)) throw new Error(`no data folder ${values.data}: give one with --data`);
  const wanted = MIL_SETS.filter(({ name }) => values.sets.split(",").includes(name));
  const lines: object[] = [];
  for (const set of wanted) {
    const embedded = await startEmbedded({ PARFOCAL_MAX_OPERATIONS: "2" });
    const start = performance.now();
    try {
      const bags = await importSet(embedded, join(values.data, `${set.name}.csv`));
      const results: RepeatResult[] = [];
      for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
        results.push(await runRepeat(embedded, set, bags, { gated: values.gated, repeat }));
        console.error(`${set.name} repeat ${repeat + 1}: accuracy ${results.at(-1)?.accuracy.toFixed(3)}`);
      }
      const line = {
        set: set.name,
        head: values.gated ? "gated-abmil" : "abmil",
        bags: bags.length,
        repeats: results.length,
        accuracy: meanAndSd(results.map(({ accuracy }) => accuracy)),
        auroc: meanAndSd(results.map(({ auroc }) => auroc)),
        reference: `${set.reference.accuracy[Number(values.gated)]} / ${set.reference.auroc[Number(values.gated)]}`,
        published: set.published?.[Number(values.gated)] ?? null,
        wallS: Math.round((performance.now() - start) / 1000),
      };
      lines.push(line);
      console.log(JSON.stringify(line));
    } finally {
      await embedded.close();
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(lines, null, 2)}\n`);
}

await main();
