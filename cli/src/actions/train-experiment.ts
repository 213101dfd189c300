import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { commonV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { followOperation } from "../client/follow-operation.ts";
import { labelledBag } from "../client/labelled-bags.ts";
import { assignParts, type PartName } from "../cohort/assign-parts.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { loadExperiment } from "../experiment/load-experiment.ts";
import { type PreparedExperiment, prepareExperiment } from "../experiment/prepare-experiment.ts";
import { isTogether, type ScoredRow, scoreRows } from "../experiment/score-rows.ts";
import { type ResultFiles, writeResolved, writeResults } from "../experiment/write-results.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { showReportMetrics } from "../output/prediction-table.ts";
import type { CommandContext } from "../run-command.ts";
import { attentionFigures } from "../run-report/attention-figures.ts";
import { casesOf } from "../run-report/group-words.ts";
import {
  figuresOf,
  figureTables,
  type MeasuredOutcome,
  medianRisk,
  outcomeOfScored,
  type RiskCut,
  trainingCensoring,
} from "../run-report/measure-scored.ts";
import { type FinishedRun, runReport } from "../run-report/run-report.ts";
import { announce, modelOf } from "./train.ts";

/** Options of `train -f`. */
export interface TrainExperimentOptions {
  readonly file: string;
  readonly requestId?: string;
}

/** `parfocal train -f exp.yaml [name=value…]`: a training, its held-out slides and a report for each seed. */
export async function runTrainExperiment(
  context: CommandContext,
  { file, requestId }: TrainExperimentOptions,
  overrides: readonly string[],
): Promise<ExitCode> {
  const loaded = await loadExperiment(file, overrides);
  const { seeds, output: folder } = loaded.experiment;
  if (requestId !== undefined && seeds.length > 1)
    throw new UsageError(`--request-id is for one training; the experiment has ${seeds.length} seeds`);
  await assertFolderPlace("output", folder);
  const { clients } = await context.connect();
  const prepared = await prepareExperiment(context, clients, loaded);
  announce(context.output, prepared.task, prepared.matched.length);
  const runs: FinishedRun[] = [];
  for (const seed of seeds) {
    const run = await trainSeed(context, clients, prepared, { seed, requestId: requestId ?? randomUUID() });
    const place = seeds.length === 1 ? folder : join(folder, `seed-${seed}`);
    showRun(context, run, await writeRun(place, run));
    runs.push(run);
  }
  const resolved = await writeResolved(
    prepared,
    runs.map(({ model }) => model.name),
  );
  context.output.line(`experiment   ${resolved}`);
  return runs.some(({ scored }) => scored.some(({ prediction }) => prediction === undefined))
    ? EXIT_CODES.failed
    : EXIT_CODES.ok;
}

async function trainSeed(
  context: CommandContext,
  clients: GatewayClients,
  prepared: PreparedExperiment,
  { seed, requestId }: { readonly seed: bigint; readonly requestId: string },
): Promise<FinishedRun> {
  const { output, parent, signal } = context;
  const { experiment, matched, task, start } = prepared;
  const spec = prepared.specFor(seed);
  const hasGroups = spec.groups !== undefined;
  const { validationFraction: validation = 0, testFraction: test = 0 } = spec.split ?? {};
  const fractions = { train: 1 - validation - test, validation, test };
  const rows = assignParts(matched, task, { fractions, seed, hasGroups });
  const bags = rows.map((row) => labelledBag(row, { hasGroups, part: row.part }));
  const request = { parent, modelId: experiment.name, bags, spec, requestId, startFrom: start?.name ?? "" };
  const operation = await clients.training.train(request, { signal });
  output.note(`operation ${operation.name}`);
  const done = await followOperation(clients, operation.name, { output, signal, isOwner: true });
  // What the gateway tells of the model later, the history included, not what the training answered.
  const { name } = modelOf(done);
  const model = (await clients.models.getModel({ name }, { signal })).model ?? modelOf(done);
  const score = async (wanted: PartName) => {
    const some = rows.filter(({ part }) => part === wanted);
    const options = { output, signal, ...(spec.groups && { groups: spec.groups }) };
    return some.length === 0 ? [] : scoreRows(clients, model, some, options);
  };
  const scored = await score("test");
  const cut = await riskCutOf(prepared, score);
  const onProblem = (text: string) => output.note(text);
  const isGrouped = hasGroups && spec.groups?.kind !== commonV1.GroupRule_Kind.KIND_NONE;
  const censoring = trainingCensoring(rows, { hasGroups: isGrouped });
  const outcome = outcomeOfScored(task, scored, {
    ...{ seed, onProblem },
    ...(cut && { cut }),
    ...(censoring && { censoring }),
  });
  const generatedAt = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const count = isTogether(spec.groups) ? 0 : experiment.heatmaps;
  const heatmaps = await attentionFigures(context, clients, { model, scored, count });
  return { prepared, seed, rows, model, scored, generatedAt, outcome, heatmaps };
}

/** Where risks are cut into groups: by slides that did not train and are not shown. */
async function riskCutOf(
  { task }: PreparedExperiment,
  score: (part: PartName) => Promise<readonly ScoredRow[]>,
): Promise<RiskCut | undefined> {
  const { KIND_COX, KIND_SURVIVAL } = commonV1.Task_Kind;
  if (task.kind !== KIND_COX && task.kind !== KIND_SURVIVAL) return undefined;
  const value = medianRisk((await score("validation")).map(({ row }) => row));
  return value === undefined ? undefined : { value, name: "the median risk of the validation slides" };
}

function writeRun(folder: string, run: FinishedRun): Promise<ResultFiles> {
  const { prepared, model, seed, outcome } = run;
  const { configSha256, dataSha256 } = prepared;
  const report = runReport(run);
  return writeResults(folder, {
    report,
    predictions: report.predictions,
    metrics: { model: model.name, seed, configSha256, dataSha256, ...measuredJson(outcome) },
  });
}

/** Everything that was measured, in one place whatever the task. */
function measuredJson({ evaluation, numbers, survival }: MeasuredOutcome): object {
  if (survival === undefined) return evaluation ?? numbers?.report ?? { metrics: {} };
  const { report, groups, pValue, cut, censoring } = survival;
  return { ...report, groups, logRankP: pValue, cut, censoring };
}

function showRun({ output }: CommandContext, run: FinishedRun, files: ResultFiles): void {
  const { model, seed, outcome, scored, rows } = run;
  output.record({
    model: model.name,
    seed,
    slides: rows.length,
    heldOut: scored.length,
    metrics: figuresOf(outcome),
    config: run.prepared.configSha256,
    files,
  });
  for (const figures of figureTables(outcome)) showReportMetrics(output, figures, figures.name);
  output.line();
  output.line(
    `seed ${seed}, ${casesOf(scored.length, rows.filter(({ part }) => part === "test").length, "held-out ")}`,
  );
  output.line(`model        ${model.name}`);
  output.line(`report       ${files.report}`);
  output.line(`predictions  ${files.csv}, .json, .parquet`);
}
