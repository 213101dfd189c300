import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { operationIdOf } from "../client/operation-name.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { type CrossValidation, crossValidate } from "../experiment/cross-validate.ts";
import { type ExperimentOptions, experimentFromOptions } from "../experiment/experiment-from-options.ts";
import { loadExperiment, type RunnableExperiment } from "../experiment/load-experiment.ts";
import { type PreparedExperiment, prepareExperiment } from "../experiment/prepare-experiment.ts";
import { type ResultFiles, writeResolved, writeResults } from "../experiment/write-results.ts";
import { evaluationRecord, showEvaluations } from "../output/evaluation-table.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { writeFiles } from "../output/write-files.ts";
import { encodePredictionsCsv, encodePredictionsJson, encodePredictionsParquet } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";
import { crossReport, predictionsOf } from "../run-report/cross-report.ts";
import { foldNotes } from "../run-report/fold-notes.ts";
import { decidedUnitOf, unitsText } from "../run-report/group-words.ts";
import { type MeasuredOutcome, outcomeOfScored } from "../run-report/measure-scored.ts";
import { withServiceFigures } from "../run-report/service-figures.ts";
import { announce } from "./train.ts";

/** Options of `crossval`: an experiment as a file, or everything as options. */
export interface CrossValidateCommandOptions extends ExperimentOptions {
  readonly file?: string;
  readonly requestId?: string;
  readonly keep?: boolean;
}

/** `parfocal crossval`: folds, their figures and a report for each seed. */
export async function runCrossValidate(
  context: CommandContext,
  options: CrossValidateCommandOptions,
  overrides: readonly string[],
): Promise<ExitCode> {
  const { file } = options;
  if (file !== undefined) return crossValidateAll(context, await loadExperiment(file, overrides), options);
  const [extra] = overrides;
  if (extra !== undefined)
    throw new UsageError(`"${extra}" changes a value of an experiment; give one by -f, or --set`);
  return crossValidateAll(context, await experimentFromOptions(options), options);
}

async function crossValidateAll(
  context: CommandContext,
  runnable: RunnableExperiment,
  { file, requestId, keep = false }: Pick<CrossValidateCommandOptions, "file" | "requestId" | "keep">,
): Promise<ExitCode> {
  const { seeds, output: folder } = runnable.experiment;
  if (requestId !== undefined && seeds.length > 1)
    throw new UsageError(`--request-id is for one cross-validation; the experiment has ${seeds.length} seeds`);
  await assertFolderPlace(file === undefined ? "--out" : "output", folder);
  const { clients } = await context.connect();
  const prepared = await prepareExperiment(context, clients, runnable, { hasFolds: true });
  announce(context.output, prepared.task, prepared.matched.length);
  if (prepared.matched.some(({ row }) => row.part !== undefined))
    context.output.note(
      `the parts of the labels table are left aside: ${prepared.fixedFolds ? "its folds count" : "folds are drawn anew"}`,
    );
  const kept: string[] = [];
  for (const seed of seeds) {
    const place = seeds.length === 1 ? folder : join(folder, `seed-${seed}`);
    const { response } = await runSeed(context, clients, prepared, {
      seed,
      requestId: requestId ?? randomUUID(),
      isKept: keep,
      folder: place,
    });
    kept.push(...response.folds.flatMap(({ model }) => (model === "" ? [] : [model])));
  }
  const resolved = await writeResolved(prepared, kept);
  context.output.line(`experiment   ${resolved}`);
  return EXIT_CODES.ok;
}

/** Cross-validates by one seed; shows the figures, and leaves report and predictions in the folder. */
export async function runSeed(
  context: CommandContext,
  clients: GatewayClients,
  prepared: PreparedExperiment,
  options: Parameters<typeof crossValidate>[3],
): Promise<CrossValidation> {
  const validation = await crossValidate(context, clients, prepared, options);
  const { seed, folder } = options;
  const outcome = pooledOutcome(context, prepared, validation, seed);
  const generatedAt = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  for (const text of foldNotes(validation.response)) context.output.note(text);
  const report = crossReport({ prepared, validation, outcome, seed, generatedAt });
  const files = await writeResults(folder, {
    report,
    predictions: report.predictions,
    metrics: recordOf(prepared, validation, seed),
  });
  const slides = await writeSlides(folder, prepared, validation);
  show(context, prepared, validation, { seed, files, ...(slides === undefined ? {} : { slides }) });
  return validation;
}

/** Where groups were decided, what the models say of each slide by itself is beside; gives the CSV. */
async function writeSlides(
  folder: string,
  { task }: PreparedExperiment,
  { repeats, decided, response }: CrossValidation,
): Promise<string | undefined> {
  if (decided === undefined) return undefined;
  const rows = repeats.flatMap((scored) => predictionsOf(scored, response.folds, task));
  const pathOf = (ending: string) => join(folder, `slide-predictions.${ending}`);
  await writeFiles([
    { path: pathOf("csv"), content: encodePredictionsCsv(rows) },
    { path: pathOf("json"), content: encodePredictionsJson(rows) },
    { path: pathOf("parquet"), content: encodePredictionsParquet(rows) },
  ]);
  return pathOf("csv");
}

/** What is drawn of the first repeat; figures are the service's, decisions those of the folds' own thresholds. */
function pooledOutcome(
  { output }: CommandContext,
  { task }: PreparedExperiment,
  { repeats, decided = repeats, response }: CrossValidation,
  seed: bigint,
): MeasuredOutcome {
  const outcome = outcomeOfScored(task, decided[0] ?? [], { seed, onProblem: (text) => output.note(text) });
  return withServiceFigures(outcome, response.pooled[0]);
}

function recordOf({ configSha256, dataSha256 }: PreparedExperiment, validation: CrossValidation, seed: bigint) {
  const { operation, response } = validation;
  const { unit, nUnits, nSlides } = decidedUnitOf(validation);
  return {
    operation,
    seed,
    decided: { unit, count: nUnits, slides: nSlides },
    config: configSha256,
    data: dataSha256,
    pooled: response.pooled.map(evaluationRecord),
    ...(response.imbalance === undefined ? {} : { imbalance: response.imbalance }),
    folds: response.folds.map(foldRecord),
  };
}

function foldRecord(result: gatewayV1.FoldResult) {
  const { repeat, fold, trainCount, validationCount, testCount, trainLacks, testLacks, test, model } = result;
  return {
    ...{
      repeat,
      fold,
      train: trainCount,
      validation: validationCount,
      test: testCount,
      metrics: evaluationRecord(test),
    },
    ...(trainLacks.length === 0 ? {} : { trainLacks }),
    ...(testLacks.length === 0 ? {} : { testLacks }),
    ...(model === "" ? {} : { model }),
  };
}

function show(
  { output }: CommandContext,
  prepared: PreparedExperiment,
  validation: CrossValidation,
  { seed, files, slides }: { readonly seed: bigint; readonly files: ResultFiles; readonly slides?: string },
): void {
  const { folds, pooled } = validation.response;
  const decided = decidedUnitOf(validation);
  output.record({ ...recordOf(prepared, validation, seed), files });
  showEvaluations(
    output,
    pooled.map((evaluation, i) => ({
      name: pooled.length === 1 ? "all folds" : `repeat ${i + 1}`,
      evaluation,
      ...(decided.unit === "slide" ? {} : { counted: unitsText(decided) }),
    })),
  );
  output.line();
  output.line(`report       ${files.report}`);
  output.line(`predictions  ${files.csv}, .json, .parquet`);
  if (slides !== undefined) output.line(`slides       ${slides}, .json, .parquet`);
  if (folds.some(({ model }) => model !== "")) output.line(`ensemble     ${ensembleHint(prepared, validation)}`);
}

/** How the folds' models speak together. Intervals of time are fitted to the training part of each fold unless the file has them. */
function ensembleHint({ task }: PreparedExperiment, { operation }: CrossValidation): string {
  const isFitted = task.kind === commonV1.Task_Kind.KIND_SURVIVAL && (task.survival?.edges.length ?? 0) === 0;
  if (isFitted) return "none: every fold fitted its own intervals of time; task.survival.edges gives all the same";
  return `parfocal predict --crossval ${operationIdOf(operation)} --all --csv ensemble.csv`;
}
