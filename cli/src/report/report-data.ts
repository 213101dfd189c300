import type { EvaluationReport, RegressionReport, SurvivalReport } from "@parfocal/metrics";
import type { SeenWord } from "@parfocal/service-gateway/seen";
import type { CertaintyView } from "../cohort/certainty-view.ts";
import type { SurvivalGroup } from "./survival-chart.ts";

/** A name and a value of the report's lists. Both are shown as text. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  /** Set in a monospaced face (digests, resource names). */
  readonly isCode?: boolean;
}

/** Everything `renderReport` shows. Plain data; every string is text, never markup. */
export interface ReportData {
  readonly title: string;
  /** One or two sentences: what was done, with what. */
  readonly summary: string;
  /** When, as the reader should see it ("2026-11-21 08:00 UTC"). Passed in, so that a report is reproducible. */
  readonly generatedAt: string;
  readonly data: DataSummary;
  /** Absent when no evaluated case had a label. */
  readonly evaluation?: EvaluationReport;
  /** Regression, in place of `evaluation`. */
  readonly numbers?: NumbersFigure;
  /** Survival, in place of `evaluation`. */
  readonly survival?: SurvivalFigure;
  /** Cross-validation: what each fold gave on the slides that it had not seen. */
  readonly folds?: FoldTable;
  /** Whose predictions were evaluated ("40 held-out test slides"). */
  readonly evaluatedOn?: string;
  /** One run, or one per fold. */
  readonly training: readonly TrainingRun[];
  readonly predictions: readonly PredictionRow[];
  /** Those that the figures are of, where they are not all. */
  readonly judged?: readonly PredictionRow[];
  readonly heatmaps: readonly HeatmapFigure[];
  readonly model: ModelCard;
}

/** How well numbers are predicted. */
export interface NumbersFigure {
  readonly report: RegressionReport;
  /** By the number: true and predicted, of the cases that know it. */
  readonly points: Readonly<Record<string, readonly (readonly [truth: number, predicted: number])[]>>;
}

/** How well risks are predicted. */
export interface SurvivalFigure {
  readonly report: SurvivalReport;
  /** Cases by their risk, the lowest first. */
  readonly groups: readonly SurvivalGroup[];
  /** Of the log-rank test between the groups; null where there is none to test. */
  readonly pValue: number | null;
  /** Where the groups were cut, as the end of the sentence "Risks were cut at …". */
  readonly cut: string;
  /** Whose censoring weighs Uno's index and the Brier score. */
  readonly censoring: "training" | "evaluated";
  /** Whether patients of several cases were made one case each for curves and test, which take cases to be independent. */
  readonly isByPatient: boolean;
}

/** A row per fold, and what they come to. */
export interface FoldTable {
  /** Names of the figures, as they are shown. */
  readonly figures: readonly string[];
  readonly rows: readonly FoldRow[];
  /** Of all folds: figures of the pooled predictions, one row per repeat. */
  readonly pooled: readonly FoldRow[];
  /** What was decided once and is counted as tested; absent: slides. */
  readonly unit?: "patient" | "group";
  /** Sentences on how the folds were divided. */
  readonly notes?: readonly string[];
}

/** Figures of a fold, or of all folds of a repeat. */
export interface FoldRow {
  readonly name: string;
  readonly nTrain?: number;
  readonly nValidation?: number;
  readonly nTest: number;
  /** In the order of the table's figures; null where there is none. */
  readonly figures: readonly ({
    readonly value: number | null;
    readonly low?: number;
    readonly high?: number;
  } | null)[];
}

/** What went in. */
export interface DataSummary {
  readonly facts: readonly Fact[];
  readonly classes: readonly string[];
  /** Parts of the split in order. */
  readonly parts: readonly {
    readonly name: string;
    readonly nPatients: number;
    readonly nSlides: number;
    /** Slides of each class, `[K]`. */
    readonly perClass: readonly number[];
  }[];
}

/** The history of one training. */
export interface TrainingRun {
  readonly name: string;
  readonly epochs: readonly {
    /** From 1. */
    readonly epoch: number;
    readonly trainLoss: number;
    readonly validationLoss?: number | null;
    /** Larger is better; null when the validation part lacks a class. */
    readonly validationScore?: number | null;
  }[];
  /** What the score is. Default "AUROC". */
  readonly scoreName?: string;
  /** Epoch whose weights were kept. */
  readonly keptEpoch?: number;
}

/** One predicted slide, as the table, the CSV and the JSON show it. */
export interface PredictionRow {
  /** Of several that were decided together the first. */
  readonly slide: string;
  /** All slides that were decided together, in their order; absent: the one. */
  readonly slides?: readonly string[];
  readonly patient?: string | null;
  /** Name of the true class, or of the true labels joined by "; "; null or absent when unlabelled. */
  readonly truth?: string | null;
  /** Multi-label: classes of which the truth is not known. */
  readonly unknown?: readonly string[];
  /** Name of the decided class, or of the decided classes joined by "; "; null when the prediction failed. */
  readonly decision: string | null;
  /** By class name; null when the prediction failed. */
  readonly probabilities: Readonly<Record<string, number>> | null;
  /** Threshold that made the decision; null or absent for argmax. */
  readonly threshold?: number | null;
  /** Multi-label: the threshold of each class. */
  readonly thresholds?: Readonly<Record<string, number>>;
  /** Regression: what the model says by the names of the numbers. */
  readonly values?: Readonly<Record<string, number>>;
  /** Regression: the numbers that are known. */
  readonly trueValues?: Readonly<Record<string, number>>;
  /** Survival: larger is sooner. */
  readonly risk?: number;
  /** Survival: when the event came, or until when it had not. */
  readonly outcome?: { readonly time: number; readonly event: boolean };
  /** Cross-validation: the fold that did not learn from the slide. */
  readonly fold?: string;
  /** Which part of the model's training had the slide, of an ensemble that of any model; absent: not known. */
  readonly seen?: SeenWord;
  /** How far it may be trusted. */
  readonly certainty?: CertaintyView;
  /** What several models say together: standard deviations over the models, of what stands under the same names. */
  readonly spread?: SpreadView;
  /** Resource name or reference of the model. */
  readonly model: string;
  /** Why there is no prediction. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** How far the models of an ensemble differ, by class or number; what there is none of is absent. */
export interface SpreadView {
  readonly probabilities?: Readonly<Record<string, number>>;
  readonly calibrated?: Readonly<Record<string, number>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly risk?: number;
}

/** An attention map ready to show. */
export interface HeatmapFigure {
  readonly slide: string;
  /** What the map means ("attention for class tumour"), and the outcome for this slide. */
  readonly caption: string;
  /** PNG bytes, as `renderHeatmap` gives them in its default colours, which the page explains once for all maps. */
  readonly png: Uint8Array;
}

/** What a reader must know before using the model. */
export interface ModelCard {
  readonly name: string;
  readonly version: string;
  /** Sentence on what it is meant for. */
  readonly intendedUse: string;
  /** What it was not tested for; each a sentence. */
  readonly limitations: readonly string[];
  readonly architecture: readonly Fact[];
  readonly recipe: readonly Fact[];
  /** Seed, digests of code, configuration, data and weights, software versions. */
  readonly provenance: readonly Fact[];
  /** By what rule classes are decided, with thresholds and how they were chosen; empty where nothing is decided. */
  readonly decision: readonly Fact[];
}
