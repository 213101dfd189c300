import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DomainError } from "@parfocal/errors";
import type { EvaluationReport } from "@parfocal/metrics";
import { writeHeatmap } from "../client/attention-files.ts";
import { connectGateway } from "../client/connect.ts";
import { followOperation } from "../client/follow-operation.ts";
import { evaluatePredictions } from "../cohort/evaluate-predictions.ts";
import { demoFigures, demoProblems, meanLesionAuroc } from "../demo/demo-checks.ts";
import { type DemoSource, importSource, openUserSource, writePlantedSource } from "../demo/demo-cohort.ts";
import { type PredictedSlide, predictHeldOut } from "../demo/demo-predictions.ts";
import { type DemoResults, demoReport } from "../demo/demo-report.ts";
import { assignSource, demoSpec, startTraining, taskOf } from "../demo/demo-training.ts";
import { runMagnifiedPart, showMagnifiedPart } from "../demo/magnified-part.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { showPredictions, showReportMetrics } from "../output/prediction-table.ts";
import { formatDuration, plural } from "../output/units.ts";
import { writeFiles } from "../output/write-files.ts";
import { encodePredictionsCsv, renderReport } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";
import { modelOf } from "./train.ts";

/** Options of `demo`. */
export interface DemoOptions {
  readonly data?: string;
  readonly out: string;
  readonly seed: bigint;
  readonly slides: number;
  readonly epochs?: number;
}

/** What a step of the demo tells. */
interface StepResult<T> {
  readonly value: T;
  /** One line on what was done. */
  readonly text: string;
}

const PARENT = "projects/demo";

/** The slides at several magnifications are another cohort. */
const MAGNIFIED_PARENT = "projects/demo-magnifications";

/** `parfocal demo`: the whole way with services and a store of its own. */
export async function runDemo(context: CommandContext, options: DemoOptions): Promise<ExitCode> {
  const { output, signal } = context;
  if (context.gateway !== undefined)
    throw new UsageError("the demo starts its own services: --gateway means nothing here");
  const startMs = performance.now();
  const out = resolve(options.out);
  await assertFolderPlace("--out", options.out);
  await mkdir(out, { recursive: true });
  const step = createStep(context);
  const source = await step("cohort", () => openSource(options, out));
  const env = { ...context.env, PARFOCAL_STORE: pathToFileURL(join(out, "store")).href };
  const connection = await step("services", async () => {
    const value = await connectGateway({ gateway: undefined, env });
    return { value, text: `gateway on ${value.address}, store in ${shown(join(out, "store"))}` };
  });
  try {
    const results = await runAll({ ...context, env }, connection.clients, source, options, step);
    const files = await step("report", () => writeResults(out, results));
    const { low, areBound, why } = demoFigures(source, results, options);
    const problems = [...demoProblems(results), ...(areBound ? low : [])];
    const magnified =
      source.kind === "planted"
        ? await runMagnifiedPart(
            { clients: connection.clients, parent: MAGNIFIED_PARENT, signal, output },
            { out, seed: options.seed, step },
          )
        : undefined;
    const all = { ...files, ...(magnified && { magnifications: magnified.file }) };
    showResults(context, results, all, performance.now() - startMs);
    if (magnified !== undefined) showMagnifiedPart(output, magnified);
    showFiles(context, results, all);
    output.line(`done in ${formatDuration(performance.now() - startMs)}`);
    if (!areBound) for (const figure of low) output.note(`a small demo: ${figure} (${why})`);
    for (const problem of problems) output.note(`demo: ${problem}`);
    if (problems.length > 0) throw new DomainError("INTERNAL", `the demo did not work: ${problems[0]}`);
    return EXIT_CODES.ok;
  } finally {
    await connection.close(signal.aborted);
  }
}

/** Runs steps one after another, each told with its time. */
function createStep({ output, signal }: CommandContext) {
  return async function step<T>(name: string, work: () => Promise<StepResult<T>>): Promise<T> {
    signal.throwIfAborted();
    const startMs = performance.now();
    const { value, text } = await work();
    const ms = performance.now() - startMs;
    output.record({ step: name, text, ms: Math.round(ms) });
    output.line(`${name.padEnd(10)}${text.padEnd(72)}${formatDuration(ms).padStart(8)}`);
    return value;
  };
}

type Step = ReturnType<typeof createStep>;

async function openSource({ data, slides, seed }: DemoOptions, out: string): Promise<StepResult<DemoSource>> {
  const value = data === undefined ? await writePlantedSource(out, slides, seed) : await openUserSource(data);
  const what = value.kind === "planted" ? `${value.title}, HDF5 files as TRIDENT writes them` : value.title;
  return { value, text: what };
}

async function runAll(
  { output, env, signal }: CommandContext,
  clients: Awaited<ReturnType<typeof connectGateway>>["clients"],
  source: DemoSource,
  { seed, epochs }: DemoOptions,
  step: Step,
): Promise<DemoResults> {
  const matched = await step("import", async () => {
    const value = await importSource(
      { clients, parent: PARENT, signal, onNote: (text) => output.note(text) },
      source,
      output.progress("importing"),
    );
    return { value, text: `${plural(value.length, "bag")} through the gateway` };
  });
  const task = taskOf(source, matched);
  const rows = assignSource(source, matched, task, seed);
  const spec = demoSpec(source, task, { seed, epochs });
  const model = await step("train", async () => {
    const name = await startTraining(clients, { parent: PARENT, modelId: "demo", rows, spec, signal });
    const value = modelOf(await followOperation(clients, name, { output, signal, isOwner: true }));
    const [nTrain, nTest] = [countOf(rows, "train"), countOf(rows, "test")];
    const text = `gated ABMIL, ${value.history.length} epochs on ${nTrain} slides, ${nTest} slides held out`;
    return { value, text };
  });
  const slides = await step("predict", async () => {
    const heldOut = rows.filter(({ part }) => part === "test");
    const progress = output.progress("predicting");
    const { lesions } = source;
    const value = await predictHeldOut(clients, { model, rows: heldOut, lesions, env, signal, progress });
    return { value, text: `${plural(value.length, "held-out slide")} with attention` };
  });
  // What the gateway tells of the model later, the history included, not what the training answered.
  const published = (await clients.models.getModel({ name: model.name }, { signal })).model ?? model;
  const evaluation = evaluationOf(task, slides, seed);
  const generatedAt = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return { source, task, rows, spec, model: published, slides, evaluation, generatedAt };
}

function countOf(rows: DemoResults["rows"], part: DemoResults["rows"][number]["part"]): number {
  return rows.filter((row) => row.part === part).length;
}

function evaluationOf(task: DemoResults["task"], slides: readonly PredictedSlide[], seed: bigint): EvaluationReport {
  const cases = slides.map(({ assigned, prediction }) => ({
    patient: assigned.patient,
    truth: assigned.row,
    ...(prediction === undefined ? {} : { prediction }),
  }));
  return evaluatePredictions(task, cases, seed);
}

/** The files that a demo leaves, for the last lines. */
type WrittenFiles = Readonly<Record<"report" | "predictions" | "metrics" | "heatmaps", string>> & {
  /** Of slides at several magnifications, if there was such a part. */
  readonly magnifications?: string;
};

async function writeResults(out: string, results: DemoResults): Promise<StepResult<WrittenFiles>> {
  const { slides, evaluation, model } = results;
  const files = {
    report: join(out, "report.html"),
    predictions: join(out, "predictions.csv"),
    metrics: join(out, "metrics.json"),
    heatmaps: join(out, "heatmaps"),
  };
  await removeStaleMaps(files);
  let nMaps = 0;
  for (const { slide, heatmap } of slides) {
    if (heatmap === undefined) continue;
    await writeHeatmap(slide, "", heatmap, files.heatmaps);
    nMaps++;
  }
  const lesions = meanLesionAuroc(slides);
  const metrics = { model: model.name, ...evaluation, ...(lesions === undefined ? {} : { lesionAuroc: lesions }) };
  await writeFiles([
    { path: files.predictions, content: encodePredictionsCsv(slides.map(({ row }) => row)) },
    { path: files.metrics, content: `${JSON.stringify(metrics, null, 2)}\n` },
    { path: files.report, content: renderReport(demoReport(results)) },
  ]);
  const drawn = nMaps === 0 ? "no heatmaps: the bags have no coordinates" : plural(nMaps, "heatmap");
  return { value: files, text: `predictions, metrics, curves, ${drawn}` };
}

/** Maps of an earlier demo in the same place would pass for maps of this one. A folder that no demo wrote stays. */
async function removeStaleMaps({ report, heatmaps }: WrittenFiles): Promise<void> {
  if (existsSync(report)) await rm(heatmaps, { recursive: true, force: true });
}

function showResults({ output }: CommandContext, results: DemoResults, files: WrittenFiles, totalMs: number): void {
  const { slides, evaluation, model } = results;
  const lesions = meanLesionAuroc(slides);
  output.record({
    model: model.name,
    metrics: evaluation.metrics,
    lesionAuroc: lesions ?? null,
    files,
    ms: Math.round(totalMs),
  });
  output.line();
  showPredictions(
    output,
    slides.map(({ row }) => row),
  );
  showReportMetrics(output, evaluation);
  if (lesions !== undefined)
    output.line(`attention finds the planted lesions with AUROC ${lesions.toFixed(3)} (mean over slides)`);
}

function showFiles({ output }: CommandContext, { slides, model }: DemoResults, files: WrittenFiles): void {
  output.line();
  output.line(`report       ${shown(files.report)}`);
  output.line(`predictions  ${shown(files.predictions)}`);
  output.line(`metrics      ${shown(files.metrics)}`);
  if (slides.some(({ maps }) => maps.length > 0)) output.line(`heatmaps     ${shown(files.heatmaps)}`);
  if (files.magnifications !== undefined) output.line(`mixer        ${shown(files.magnifications)}`);
  output.line(`model        ${model.name}`);
}

/** A path as short as it can be told from here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
