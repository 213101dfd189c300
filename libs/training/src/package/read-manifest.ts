import { DomainError } from "@parfocal/errors";
import { type ConfigObject, type ConfigReader, createConfigReader, parseModelConfig } from "@parfocal/models";
import type { GraphPort, GraphType } from "@parfocal/tensor";
import type { BagSourceFacts, EpochReport } from "../job.ts";
import type { PretrainReport } from "../pretrain/pretrain-job.ts";
import { calibrationFromJson } from "./calibration-json.ts";
import { FORMAT, type ModelManifest, type PackageFile, type PackageGraph, type PackageGraphs } from "./manifest.ts";
import type { PartMetrics } from "./part-metrics.ts";
import { survivalFromJson } from "./survival-facts.ts";

const GRAPH_TYPES = ["f32", "f16", "i32", "i64", "u8", "u16", "bool"] as const satisfies readonly GraphType[];

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
    ...readSeen(reader.optionalObject("seen")),
    ...readSurvival(reader.optionalObject("survival")),
    validation: figuresOf<PartMetrics>(reader.optionalObject("validation")) ?? null,
    test: figuresOf<PartMetrics>(reader.optionalObject("test")) ?? null,
    digests: readDigests(reader.object("digests")),
    spec: reader.object("spec"),
    epoch: reader.number("epoch", { min: 0, max: 10_000, isInteger: true }),
    nParameters: reader.number("nParameters", { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true }),
    history: reader.objects("history").map((each) => figuresOf<EpochReport>(each)),
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

function readSeen(json: ConfigObject | undefined): Pick<ModelManifest, "seen"> {
  return json === undefined ? {} : { seen: readFile(json, "seen") };
}

function readPretraining(json: ConfigObject | undefined): Pick<ModelManifest, "pretraining"> {
  if (json === undefined) return {};
  const reader = createConfigReader(json, "pretraining");
  const nUpdates = reader.number("nUpdates", { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true });
  const history = reader.objects("history").map((each) => figuresOf<PretrainReport>(each));
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
    ...(has("stridePx") && { stridePx: reader.number("stridePx", { min: Number.MIN_VALUE, max: Number.MAX_VALUE }) }),
    ...(has("level0StridePx") && {
      level0StridePx: reader.number("level0StridePx", { min: Number.MIN_VALUE, max: Number.MAX_VALUE }),
    }),
    ...(has("surrogateLevels") && { surrogateLevels: `${reader.scalar("surrogateLevels")}` }),
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
  const ports = (name: string) => reader.objects(name).map((port, i) => readPort(port, `${where}.${name}[${i}]`));
  return { ...readFile(json, where), inputs: ports("inputs"), outputs: ports("outputs") };
}

function readPort(json: ConfigObject, where: string): GraphPort {
  const reader = createConfigReader(json, where);
  const name = `${reader.scalar("name")}`;
  const dtype = reader.choice("dtype", GRAPH_TYPES);
  const { shape } = json;
  if (!Array.isArray(shape) || !shape.every(isDim)) throw new DomainError("CORRUPT", `${where}.shape is no shape`);
  return { name, dtype, shape };
}

/** A number of elements, or the formula of a run's symbols. */
function isDim(size: unknown): size is GraphPort["shape"][number] {
  return typeof size === "string" || (Number.isInteger(size) && Number(size) >= 0);
}

/** Figures are shown as they were written: nothing is computed with them, and their digest was checked. */
function figuresOf<T>(json: ConfigObject): T;
function figuresOf<T>(json: ConfigObject | undefined): T | undefined;
function figuresOf<T>(json: ConfigObject | undefined): T | undefined {
  return json as T | undefined;
}
