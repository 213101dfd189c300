import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type FileToWrite, writeFiles } from "../output/write-files.ts";
import {
  encodePredictionsCsv,
  encodePredictionsJson,
  encodePredictionsParquet,
  type PredictionRow,
  type ReportData,
  renderReport,
} from "../report/index.ts";
import { VERSION } from "../version.ts";
import { encodeExperiment } from "./encode-experiment.ts";
import type { PreparedExperiment } from "./prepare-experiment.ts";

/** What is written into the folder of results. */
export interface Results {
  readonly report: ReportData;
  readonly predictions: readonly PredictionRow[];
  /** Everything that was measured, as JSON. */
  readonly metrics: object;
}

/** Paths of the files that {@link writeResults} leaves. */
export type ResultFiles = Readonly<Record<"report" | "metrics" | "csv" | "json" | "parquet", string>>;

/**
 * Writes report, metrics and predictions of a run; gives where they are. They are replaced together, see `writeFiles`.
 *
 * @throws {DomainError} where they cannot be written.
 */
export async function writeResults(folder: string, results: Results): Promise<ResultFiles> {
  await mkdir(folder, { recursive: true });
  const files = {
    report: join(folder, "report.html"),
    metrics: join(folder, "metrics.json"),
    csv: join(folder, "predictions.csv"),
    json: join(folder, "predictions.json"),
    parquet: join(folder, "predictions.parquet"),
  };
  await writeFiles(contentsOf(files, results));
  return files;
}

/** One after another: no two need to be in memory. */
function* contentsOf(files: ResultFiles, { report, predictions, metrics }: Results): Iterable<FileToWrite> {
  yield { path: files.report, content: renderReport(report) };
  yield { path: files.metrics, content: `${JSON.stringify(metrics, plainNumbers, 2)}\n` };
  yield { path: files.csv, content: encodePredictionsCsv(predictions) };
  yield { path: files.json, content: encodePredictionsJson(predictions) };
  yield { path: files.parquet, content: encodePredictionsParquet(predictions) };
}

/** Writes the resolved experiment beside its results; gives the file. */
export async function writeResolved(prepared: PreparedExperiment, models: readonly string[]): Promise<string> {
  const { experiment, configSha256, dataSha256 } = prepared;
  const folder = experiment.output;
  const file = join(folder, "experiment.yaml");
  await mkdir(folder, { recursive: true });
  const content = encodeExperiment(experiment, folder, { configSha256, dataSha256, models, version: VERSION });
  await writeFiles([{ path: file, content }]);
  return file;
}

function plainNumbers(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
