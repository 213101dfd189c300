import type { EvaluationReport } from "@parfocal/metrics";
import type { gatewayV1 } from "@parfocal/protocol";
import type { DemoSource } from "./demo-cohort.ts";
import type { PredictedSlide } from "./demo-predictions.ts";
import { PLANTED_EPOCHS, PLANTED_SLIDES } from "./planted-size.ts";

/** The planted signal is easy: a run of full size below this is broken. */
const MIN_PLANTED_AUROC = 0.8;
/** Attention of a working model ranks the tiles of the lesion above nearly all others. */
const MIN_LESION_AUROC = 0.8;
/** Slides and passes from which on figures are bound: what a demo takes that is told nothing. Less may be too little to learn from. */
const FULL_SIZE = { slides: PLANTED_SLIDES, epochs: PLANTED_EPOCHS };
/** Two ways to the same figure, in f32: they agree to rounding. */
const AGREEMENT = 1e-6;

/** How much a demo learns from. */
export interface DemoSize {
  readonly slides: number;
  /** Passes; absent: the recipe's own. */
  readonly epochs?: number;
}

/** What a demo came to. */
export interface DemoOutcome {
  readonly model: gatewayV1.Model;
  readonly slides: readonly PredictedSlide[];
  readonly evaluation: EvaluationReport;
}

/** Whether a demo worked: a sentence for each thing that did not. Figures of its models are judged by {@link demoFigures}. */
export function demoProblems({ model, slides, evaluation }: DemoOutcome): string[] {
  const problems: string[] = [];
  for (const { slide, row } of slides) {
    if (row.error !== undefined) problems.push(`${slide} was not predicted: ${row.error.code}: ${row.error.message}`);
  }
  const ours = aurocOf(evaluation);
  const theirs = model.test?.metrics.find(({ name, label }) => label === "" && /^(?:macro_)?auroc$/.test(name))?.value;
  if (ours !== null && (theirs === undefined || Math.abs(ours - theirs) > AGREEMENT)) {
    problems.push(`the predictions make an AUROC of ${ours}; the training measured ${theirs ?? "none"}`);
  }
  return problems;
}

/** Figures of a made-up cohort below what its signal makes, and whether the demo was large enough for these to be bound. */
export interface DemoFigures {
  /** A sentence for each. */
  readonly low: readonly string[];
  readonly areBound: boolean;
  /** Why they are not, with the size from which on they would be. */
  readonly why: string;
}

/** How a demo's figures compare with what the planted signal makes; of a user's slides nothing is known. */
export function demoFigures(source: DemoSource, { slides, evaluation }: DemoOutcome, size: DemoSize): DemoFigures {
  const { epochs = FULL_SIZE.epochs } = size;
  const why = `bound from ${FULL_SIZE.slides} slides and ${FULL_SIZE.epochs} epochs on; these were ${size.slides} and ${epochs}`;
  const areBound = size.slides >= FULL_SIZE.slides && epochs >= FULL_SIZE.epochs;
  if (source.kind !== "planted") return { low: [], areBound, why };
  const [ours, found] = [aurocOf(evaluation), meanLesionAuroc(slides)];
  const low = [
    ...(ours === null || ours < MIN_PLANTED_AUROC
      ? [`the AUROC on held-out slides is ${shown(ours)}; the planted signal makes at least ${MIN_PLANTED_AUROC}`]
      : []),
    ...(found === undefined || found < MIN_LESION_AUROC
      ? [`attention finds the planted lesions with AUROC ${shown(found)}; it should be at least ${MIN_LESION_AUROC}`]
      : []),
  ];
  return { low, areBound, why };
}

function shown(value: number | null | undefined): string {
  return value?.toFixed(3) ?? "unknown (no slides of both kinds are held out)";
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
