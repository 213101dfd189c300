import { createHash } from "node:crypto";
import type { EvaluationReport } from "@parfocal/metrics";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import {
  type Fact,
  formatCount,
  formatMetric,
  formatPlural,
  formatSignificant,
  type HeatmapFigure,
  type ModelCard,
  type ReportData,
} from "../report/index.ts";
import { dataSummary } from "../run-report/data-summary.ts";
import { trainingRun } from "../run-report/training-run.ts";
import { VERSION } from "../version.ts";
import type { DemoSource } from "./demo-cohort.ts";
import type { PredictedSlide } from "./demo-predictions.ts";

/** Everything that a demo's report is made of. */
export interface DemoResults {
  readonly source: DemoSource;
  readonly task: commonV1.Task;
  readonly rows: readonly AssignedRow[];
  readonly spec: commonV1.TrainingSpec;
  readonly model: gatewayV1.Model;
  readonly slides: readonly PredictedSlide[];
  readonly evaluation: EvaluationReport;
  /** As the reader should see it. */
  readonly generatedAt: string;
}

/** Maps on the page: more make it heavy, and every map is a file too. */
const MAX_HEATMAPS = 24;

/** The report of a demo. */
export function demoReport(results: DemoResults): ReportData {
  const { source, task, model, slides, evaluation, generatedAt } = results;
  const nHeldOut = formatPlural(slides.length, "held-out slide");
  const made =
    source.kind === "planted"
      ? "The slides are made up: tile features drawn from a seed, with a compact lesion planted in the positive ones. "
      : "";
  return {
    title: `Gated ABMIL on ${source.title}: ${task.classes.length === 2 ? [...task.classes].reverse().join(" against ") : task.classes.join(", ")}`,
    summary: `${made}A gated attention model was trained through the gateway and shown ${nHeldOut} once, at the end. No patient is in two parts.`,
    generatedAt,
    data: dataSummary(results.rows, task, [{ name: "Source", value: source.title }]),
    evaluation,
    evaluatedOn: `${nHeldOut} of ${formatPlural(evaluation.nPatients, "patient")}`,
    training: [trainingRun(model)],
    predictions: slides.map(({ row }) => row),
    heatmaps: heatmapFigures(slides, task.classes.at(-1) ?? ""),
    model: modelCard(results),
  };
}

/** One map per slide, those with a found lesion first. */
function heatmapFigures(slides: readonly PredictedSlide[], positive: string): HeatmapFigure[] {
  return slides
    .filter(({ heatmap }) => heatmap !== undefined)
    .toSorted((a, b) => positiveOf(b, positive) - positiveOf(a, positive))
    .slice(0, MAX_HEATMAPS)
    .flatMap(({ slide, row, heatmap, lesionAuroc }) => {
      if (heatmap === undefined) return [];
      const p = row.probabilities?.[row.decision ?? ""];
      const truth = row.truth ? `; truth: ${row.truth}` : "";
      const found =
        lesionAuroc === undefined ? "" : `; attention ranks the planted lesion with AUROC ${formatMetric(lesionAuroc)}`;
      const caption = `${row.decision ?? "failed"}${p === undefined ? "" : `, probability ${formatMetric(p)}`}${truth}${found}`;
      return [{ slide, caption, png: heatmap }];
    });
}

function positiveOf({ row }: PredictedSlide, positive: string): number {
  return row.probabilities?.[positive] ?? 0;
}

function modelCard({ source, task, rows, spec, model, slides }: DemoResults): ModelCard {
  const [name = "", version = ""] = model.name.split("/versions/");
  const probabilities = slides.find(({ prediction }) => prediction !== undefined)?.prediction?.probabilities ?? [];
  const thresholds = probabilities.flatMap(({ threshold }) => threshold ?? []);
  const isBinary = task.kind === commonV1.Task_Kind.KIND_BINARY;
  const nValidation = rows.filter(({ part }) => part === "validation").length;
  const values = isBinary ? thresholds.slice(-1) : thresholds;
  return {
    name,
    version,
    intendedUse:
      source.kind === "planted"
        ? "None: a demonstration on made-up slides."
        : "Research on bags like those it was trained on.",
    limitations: [
      `Trained on ${formatPlural(rows.filter(({ part }) => part === "train").length, "bag")} of one source; not tested on any other.`,
      "Probabilities were not recalibrated.",
      ...(source.kind === "planted" ? ["Made-up features say nothing about tissue."] : []),
    ],
    architecture: architectureFacts(model, spec),
    recipe: recipeFacts(spec),
    provenance: provenanceFacts(rows, spec, model),
    decision:
      values.length === 0
        ? [{ name: "Rule", value: "the most probable class" }]
        : [
            { name: "Threshold", value: values.map(formatMetric).join(", ") },
            { name: "Chosen by", value: `Youden's J on ${formatPlural(nValidation, "validation slide")}, then frozen` },
          ],
  };
}

function architectureFacts(model: gatewayV1.Model, { architecture }: commonV1.TrainingSpec): Fact[] {
  const trunk = architecture?.head?.trunk;
  const abmil = architecture?.head?.kind?.$case === "abmil" ? architecture.head.kind.value : undefined;
  return [
    { name: "Head", value: model.head },
    { name: "Hidden layers", value: `${trunk?.hidden.join(" – ")}, ReLU, dropout ${trunk?.dropout}` },
    { name: "Attention", value: `${abmil?.attentionWidth ?? 0} wide` },
    {
      name: "Input",
      value: `${formatCount(model.featureDim)} features${architecture?.standardise ? ", standardised" : ""}`,
    },
    { name: "Parameters", value: formatCount(Number(model.parameterCount)) },
  ];
}

const OPTIMISER_NAMES: Readonly<Record<string, string>> = { KIND_ADAM: "Adam", KIND_ADAMW: "AdamW", KIND_SGD: "SGD" };

function recipeFacts({ recipe }: commonV1.TrainingSpec): Fact[] {
  const optimiser = recipe?.optimiser;
  const kind = optimiser === undefined ? "" : commonV1.optimiser_KindToJSON(optimiser.kind);
  const isCosine = recipe?.schedule?.kind === commonV1.Schedule_Kind.KIND_COSINE;
  return [
    { name: "Optimiser", value: OPTIMISER_NAMES[kind] ?? kind },
    {
      name: "Step size",
      value: `${formatSignificant(optimiser?.learningRate ?? 0)}, ${isCosine ? "cosine" : "constant"}`,
    },
    { name: "Weight decay", value: formatSignificant(optimiser?.weightDecay ?? 0) },
    { name: "Epochs", value: `${recipe?.epochs ?? 0}, one bag per step` },
    { name: "Published", value: "best validation AUROC, lowest loss among equals" },
  ];
}

function provenanceFacts(
  rows: readonly AssignedRow[],
  { recipe }: commonV1.TrainingSpec,
  model: gatewayV1.Model,
): Fact[] {
  const digests = rows.map(({ bag }) => bag.reference?.object?.sha256 ?? "").sort();
  const data = createHash("sha256").update(digests.join("\n")).digest("hex");
  return [
    { name: "Seed", value: String(recipe?.seed ?? 0n) },
    { name: "Package", value: `sha256:${model.reference?.manifest?.sha256 ?? ""}`, isCode: true },
    { name: "Bags", value: `sha256:${data}`, isCode: true },
    { name: "Software", value: `Parfocal ${VERSION}, Node ${process.versions.node}` },
  ];
}
