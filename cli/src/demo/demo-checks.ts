import type { EvaluationReport } from "@parfocal/metrics";
import type { gatewayV1 } from "@parfocal/protocol";
import type { DemoSource } from "./demo-cohort.ts";
import type { PredictedSlide } from "./demo-predictions.ts";

/** The planted signal is easy: a run below this is broken. */
const MIN_PLANTED_AUROC = 0.8;
/** Attention of a working model ranks the tiles of the lesion above nearly all others. */
const MIN_LESION_AUROC = 0.8;
/** Two ways to the same figure, in f32: they agree to rounding. */
const AGREEMENT = 1e-6;

/** Whether a demo worked: a sentence for each thing that did not. */
export function demoProblems(
  source: DemoSource,
  model: gatewayV1.Model,
  slides: readonly PredictedSlide[],
  evaluation: EvaluationReport,
): string[] {
  const problems: string[] = [];
  for (const { slide, row } of slides) {
    if (row.error !== undefined) problems.push(`${slide} was not predicted: ${row.error.code}: ${row.error.message}`);
  }
  const ours = aurocOf(evaluation);
  const theirs = model.test?.metrics.find(({ name, label }) => label === "" && /^(?:macro_)?auroc$/.test(name))?.value;
  if (ours !== null && (theirs === undefined || Math.abs(ours - theirs) > AGREEMENT)) {
    problems.push(`the predictions make an AUROC of ${ours}; the training measured ${theirs ?? "none"}`);
  }
  if (source.kind !== "planted") return problems;
  if (ours === null || ours < MIN_PLANTED_AUROC) {
    problems.push(`the AUROC on held-out slides is ${ours}; the planted signal makes at least ${MIN_PLANTED_AUROC}`);
  }
  const found = meanLesionAuroc(slides);
  if (found === undefined || found < MIN_LESION_AUROC) {
    problems.push(`attention finds the planted lesions with AUROC ${found}; it should be at least ${MIN_LESION_AUROC}`);
  }
  return problems;
}

/** The AUROC over all classes. */
function aurocOf({ metrics }: EvaluationReport): number | null {
  return (metrics.auroc ?? metrics.macroAuroc)?.value ?? null;
}

/** How well attention ranks the tiles of planted lesions, mean over the slides that have one. */
export function meanLesionAuroc(slides: readonly PredictedSlide[]): number | undefined {
  const found = slides.flatMap(({ lesionAuroc }) => lesionAuroc ?? []);
  return found.length === 0 ? undefined : found.reduce((sum, value) => sum + value, 0) / found.length;
}
