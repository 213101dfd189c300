import { DomainError } from "@parfocal/errors";
import type { MetricTable } from "@parfocal/metrics";
import {
  type ConfigObject,
  type ConfigReader,
  createConfigReader,
  type ModelConfig,
  modelConfigJson,
  parseModelConfig,
} from "@parfocal/models";
import type { GraphPort } from "@parfocal/tensor";
import type { BagSourceFacts, CensoringSource, EpochReport, PartReport } from "../job.ts";
import type { PretrainReport } from "../pretrain/pretrain-job.ts";
import type { ModelCalibration } from "./calibration.ts";
import type { OutlierConfig } from "./calibration-config.ts";
import { calibrationFromJson } from "./calibration-json.ts";
import { type SurvivalFacts, survivalFromJson } from "./survival-facts.ts";

/** Version of the manifest's layout; another one is refused, never guessed at. */
const FORMAT = "parfocal-model/1";

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

/** Figures of one part, with 95 % intervals, without curves. */
export interface PartMetrics {
  readonly nCases: number;
  readonly nPatients: number;
  readonly metrics: MetricTable;
  readonly classes: readonly {
    readonly name: string;
    readonly nPositives: number;
    readonly nNegatives: number;
    readonly metrics: MetricTable;
  }[];
  /** Row = truth, column = decision; null for multi-label. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** Regression: by number, over the cases that know it. */
  readonly targets?: readonly { readonly name: string; readonly nCases: number; readonly metrics: MetricTable }[];
  /** Survival and Cox. */
  readonly nEvents?: number;
  /** Survival and Cox: whose censoring weighs; absent in packages of before it was told. */
  readonly censoring?: CensoringSource;
  /** Present when the cases are groups of bags, decided by the rule for groups. */
  readonly groups?: {
    readonly nBags: number;
    /** Of `min-loss`, where the most positive bag speaks: by the mean of a group's probabilities instead, overall. */
    readonly metricsOfMeans?: MetricTable;
  };
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

/**
 * Reads a manifest strictly.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` for another version; `CORRUPT` when it is no JSON or a field is missing, of
 * another type or out of its bounds, naming it.
 */
export function parseManifest(bytes: Uint8Array): ModelManifest {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return readManifest(createConfigReader(json, "manifest"));
  } catch (error) {
    if (error instanceof DomainError && error.code === "UNSUPPORTED_FORMAT") throw error;
    const reason = error instanceof Error ? error.message : "unreadable";
    throw new DomainError("CORRUPT", `the manifest of the model is damaged: ${reason}`, { cause: error });
  }
}

function readManifest(reader: ConfigReader): ModelManifest {
  const format = reader.scalar("format");
  if (format !== FORMAT) throw new DomainError("UNSUPPORTED_FORMAT", `the model package is ${format}, not ${FORMAT}`);
  const manifest: ModelManifest = {
    model: parseModelConfig(reader.object("model")),
    expects: readFacts(reader.object("expects")),
    thresholds: reader.numbers("thresholds", { min: 0, max: 1, maxItems: 1000 }),
    areThresholdsFitted: reader.boolean("areThresholdsFitted"),
    ...readCalibration(reader.optionalObject("calibration")),
    ...readTypicality(reader.optionalObject("typicality")),
    ...readSurvival(reader.optionalObject("survival")),
    validation: metricsOrNull(reader.optionalObject("validation")),
    test: metricsOrNull(reader.optionalObject("test")),
    digests: readDigests(reader.object("digests")),
    spec: reader.object("spec"),
    epoch: reader.number("epoch", { min: 0, max: 10_000, isInteger: true }),
    nParameters: reader.number("nParameters", { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true }),
    history: reader.objects("history") as unknown as readonly EpochReport[],
    weights: readFile(reader.object("weights"), "weights"),
    ...readPretraining(reader.optionalObject("pretraining")),
    graphs: readGraphs(reader.object("graphs")),
  };
  reader.assertNoOthers();
  if ((manifest.graphs.aggregate !== undefined) === (manifest.model.task.kind !== "embedding")) return manifest;
  throw new DomainError("CORRUPT", `graphs.aggregate and task.kind ${manifest.model.task.kind} do not go together`);
}

function readDigests(json: ConfigObject): ModelManifest["digests"] {
  const reader = createConfigReader(json, "digests");
  const text = (name: string) => `${reader.scalar(name)}`;
  return {
    code: text("code"),
    config: text("config"),
    trainingData: text("trainingData"),
    ...(json.startFrom !== undefined && { startFrom: text("startFrom") }),
  };
}

function readCalibration(json: ConfigObject | undefined): Pick<ModelManifest, "calibration"> {
  return json === undefined ? {} : { calibration: calibrationFromJson(json) };
}

function readSurvival(json: ConfigObject | undefined): Pick<ModelManifest, "survival"> {
  return json === undefined ? {} : { survival: survivalFromJson(json) };
}

function readTypicality(json: ConfigObject | undefined): Pick<ModelManifest, "typicality"> {
  if (json === undefined) return {};
  const reader = createConfigReader(json, "typicality");
  const action = reader.choice("action", ["flag", "refuse"]);
  const percentile = reader.number("percentile", { min: 50, max: 100 });
  const file = readFile(reader.object("file"), "typicality.file");
  reader.assertNoOthers();
  return { typicality: { action, percentile, file } };
}

function readPretraining(json: ConfigObject | undefined): Pick<ModelManifest, "pretraining"> {
  if (json === undefined) return {};
  const reader = createConfigReader(json, "pretraining");
  const nUpdates = reader.number("nUpdates", { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true });
  const history = reader.objects("history") as unknown as readonly PretrainReport[];
  reader.assertNoOthers();
  return { pretraining: { nUpdates, history } };
}

function readGraphs(json: ConfigObject): PackageGraphs {
  const reader = createConfigReader(json, "graphs");
  const optional = (name: keyof PackageGraphs) => {
    const graph = reader.optionalObject(name);
    return graph === undefined ? {} : { [name]: readGraph(graph, `graphs.${name}`) };
  };
  const graphs: PackageGraphs = {
    ...optional("aggregate"),
    ...optional("reembed"),
    ...optional("reembedStem"),
    ...optional("reembedBody"),
  };
  reader.assertNoOthers();
  return graphs;
}

function readFacts(json: ConfigObject): BagSourceFacts {
  const reader = createConfigReader(json, "expects");
  const has = (name: string) => json[name] !== undefined;
  const facts = {
    ...(has("encoder") && { encoder: `${reader.scalar("encoder")}` }),
    ...(has("tilePx") && { tilePx: reader.number("tilePx", { min: 1, max: 65_536 }) }),
    ...(has("mpp") && { mpp: reader.number("mpp", { min: 1e-3, max: 1e3 }) }),
  };
  reader.assertNoOthers();
  return facts;
}

function readFile(json: ConfigObject, where: string): PackageFile {
  const reader = createConfigReader(json, where);
  const path = `${reader.scalar("path")}`;
  const digest = `${reader.scalar("digest")}`;
  // The path comes from a stored object: it must not lead out of the package.
  const isLocal = path.split("/").every((part) => /^[\w-][\w.-]*$/u.test(part));
  if (!isLocal || !/^[0-9a-f]{64}$/u.test(digest)) {
    throw new DomainError("CORRUPT", `${where} has a path or digest of another form`);
  }
  return { path, digest, sizeBytes: reader.number("sizeBytes", { min: 1, max: 2 ** 40, isInteger: true }) };
}

function readGraph(json: ConfigObject, where: string): PackageGraph {
  const reader = createConfigReader(json, where);
  const ports = (name: string) => reader.objects(name) as unknown as readonly GraphPort[];
  return { ...readFile(json, where), inputs: ports("inputs"), outputs: ports("outputs") };
}

function metricsOrNull(json: ConfigObject | undefined): PartMetrics | null {
  return json === undefined ? null : (json as unknown as PartMetrics);
}

/** The figures of a report that a manifest keeps. */
export function partMetricsFromReport(report: PartReport): PartMetrics {
  const { groups, targets, nEvents, censoring } = report;
  return {
    nCases: report.nCases,
    nPatients: report.nPatients,
    metrics: report.metrics,
    classes: report.classes.map(({ name, nPositives, nNegatives, metrics }) => ({
      name,
      nPositives,
      nNegatives,
      metrics,
    })),
    confusion: report.confusion,
    ...(targets && { targets }),
    ...(nEvents !== undefined && { nEvents }),
    ...(censoring && { censoring }),
    ...(groups && {
      groups: { nBags: groups.nBags, ...(groups.ofMeans && { metricsOfMeans: groups.ofMeans.metrics }) },
    }),
  };
}
