import { type ConfigObject, type ModelConfig, modelConfigJson } from "@parfocal/models";
import type { GraphPort } from "@parfocal/tensor";
import type { BagSourceFacts, EpochReport } from "../job.ts";
import type { PretrainReport } from "../pretrain/pretrain-job.ts";
import type { ModelCalibration } from "./calibration.ts";
import type { OutlierConfig } from "./calibration-config.ts";
import type { PartMetrics } from "./part-metrics.ts";
import type { SurvivalFacts } from "./survival-facts.ts";

/** Version of the manifest's layout; another one is refused, never guessed at. */
export const FORMAT = "parfocal-model/1";

/** A file of a package. */
export interface PackageFile {
  /** Name in the package's folder. */
  readonly path: string;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A graph of a package: its file and its ports. */
export interface PackageGraph extends PackageFile {
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}

/** Everything a package says of its model. */
export interface ModelManifest {
  /** Architecture and task; what the bags must bring is in `expects`. */
  readonly model: ModelConfig;
  /** Encoder and geometry of the training bags; absent fields were unknown. */
  readonly expects: BagSourceFacts;
  /** One for binary, one per class for multi-label, none for multi-class tasks. */
  readonly thresholds: readonly number[];
  /** Whether they were chosen on the validation part. */
  readonly areThresholdsFitted: boolean;
  /** Fitted on the validation part; absent without one, and in packages of before it was. */
  readonly calibration?: ModelCalibration;
  /** What the training bags are like; absent where it was not measured. */
  readonly typicality?: TypicalityFacts;
  /** Which bags its trainings on labels have had; absent in packages of before it was told, imported and pretrained ones. */
  readonly seen?: PackageFile;
  /** Survival and Cox: of the training part's events; absent in packages of before it was, and in imported ones. */
  readonly survival?: SurvivalFacts;
  readonly validation: PartMetrics | null;
  readonly test: PartMetrics | null;
  readonly digests: {
    /** Of the program that trained, as the service knows it (commit or image). */
    readonly code: string;
    /** SHA-256 of the training specification. */
    readonly config: string;
    /** SHA-256 over digests, labels and parts of the bags. */
    readonly trainingData: string;
    /** Of the manifest of the model whose re-embedder training started from; absent: fresh weights. */
    readonly startFrom?: string;
  };
  /** The training specification, seed included. */
  readonly spec: ConfigObject;
  /** Epoch whose weights were taken. */
  readonly epoch: number;
  readonly nParameters: number;
  readonly history: readonly EpochReport[];
  /** How it was pretrained; absent in models that were trained on labels. */
  readonly pretraining?: PretrainingFacts;
  readonly weights: PackageFile;
  readonly graphs: PackageGraphs;
}

/** What a manifest says of what training bags are like. */
export interface TypicalityFacts extends Pick<OutlierConfig, "percentile"> {
  readonly action: "flag" | "refuse";
  readonly file: PackageFile;
}

/** What a manifest says of a pretraining. */
export interface PretrainingFacts {
  /** Updates made. */
  readonly nUpdates: number;
  readonly history: readonly PretrainReport[];
}

/** The graphs of a package: the first where the model has a head, the others where it has a re-embedder, the halves where that has a stem. */
export interface PackageGraphs {
  readonly aggregate?: PackageGraph;
  /** Its digest is the re-embedder's identity: configuration and weights are in the file. */
  readonly reembed?: PackageGraph;
  readonly reembedStem?: PackageGraph;
  readonly reembedBody?: PackageGraph;
}

/** The manifest as JSON text. Deterministic: the same training gives the same bytes. */
export function encodeManifest(manifest: ModelManifest): Uint8Array {
  const json = { format: FORMAT, ...manifest, model: modelConfigJson(manifest.model) };
  return new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
}
