/**
 * @file The operations that a kill session runs, and what each must leave.
 */
import { createHash, randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { type PlantedSlide, plantCohort } from "../cohort.ts";
import { PARENT, trainRequest } from "../requests.ts";
import type { Clients } from "../services.ts";
import { untilReached } from "./until-reached.ts";

/** What an operation does. */
export type JobKind = "import" | "train" | "batch";

/** A job that was asked for. */
export interface Job {
  readonly kind: JobKind;
  readonly name: string;
}

/** The data of a session. */
export interface JobData {
  readonly slides: readonly PlantedSlide[];
  /** Folder with the files of the slides and a manifest. */
  readonly root: string;
  /** Names of the bags in the order of the slides; empty before the first import. */
  readonly bags: readonly string[];
}

/** The model that batches are predicted with. */
const BATCH_MODEL = "base";

/** Writes the files of a small cohort into `root`. */
export async function plantJobData(root: string): Promise<JobData> {
  const slides = plantCohort(24);
  for (const { fileName, bytes } of slides) await writeFile(join(root, fileName), bytes);
  return { slides, root, bags: [] };
}

/** Starts a job; asks again under the same request id until it is answered, and expects one operation for all answers. */
export async function startJob(clients: Clients, data: JobData, kind: JobKind, serial: number): Promise<Job> {
  const requestId = randomUUID();
  const start = () => starters[kind](clients, data, requestId, serial);
  const { name } = await untilReached(start);
  const again = await untilReached(start);
  if (again.name !== name) throw new Error(`one request id gave two operations, ${name} and ${again.name}`);
  return { kind, name };
}

const starters: Readonly<
  Record<
    JobKind,
    (clients: Clients, data: JobData, requestId: string, serial: number) => Promise<googleLongrunning.Operation>
  >
> = {
  // A project of its own: there the bags are new.
  import: ({ bags }, { root, slides }, requestId, serial) =>
    bags.importBags({
      parent: `projects/import-${serial}`,
      uris: slides.map(({ fileName }) => pathToFileURL(join(root, fileName)).href),
      requestId,
    }),
  train: ({ training }, { slides, bags }, requestId, serial) =>
    training.train(trainRequest(slides, bags, { modelId: `trained-${serial}`, epochs: 20, requestId })),
  batch: ({ prediction }, { root }, requestId) =>
    prediction.batchPredict({
      parent: PARENT,
      models: [`${PARENT}/models/${BATCH_MODEL}`],
      manifestUri: pathToFileURL(join(root, "manifest.csv")).href,
      requestId,
    }),
};

/** Imports the cohort into the project of the tests and trains the model that batches use. Nothing may disturb it. */
export async function prepare(clients: Clients, data: JobData): Promise<JobData> {
  const uris = data.slides.map(({ fileName }) => pathToFileURL(join(data.root, fileName)).href);
  const imported = await clients.bags.importBags({ parent: PARENT, uris });
  const bags = digestsOf(await responseOf(clients, imported.name)).map((sha256) => `${PARENT}/bags/${sha256}`);
  // Thrice, so that a batch has several shards.
  const rows = [0, 1, 2].flatMap((copy) => bags.map((bag, i) => `${bag},patient-${copy}-${i}`));
  await writeFile(join(data.root, "manifest.csv"), ["bag,patient_id", ...rows, ""].join("\n"));
  const request = trainRequest(data.slides, bags, { modelId: BATCH_MODEL, epochs: 2 });
  await responseOf(clients, (await clients.training.train(request)).name);
  return { ...data, bags };
}

/** The response of an operation once it has succeeded; undefined while it runs. @throws Error when it failed. */
export async function findResponse(clients: Clients, name: string): Promise<Uint8Array | undefined> {
  const { done, result } = await untilReached(() => clients.operations.getOperation({ name }));
  if (!done) return undefined;
  if (result?.$case === "response") return result.value.value;
  throw new Error(`${name} ended with ${JSON.stringify(result)}`);
}

async function responseOf(clients: Clients, name: string): Promise<Uint8Array> {
  await clients.operations.waitOperation({ name }, { timeoutMs: 120_000 });
  const response = await findResponse(clients, name);
  if (response === undefined) throw new Error(`${name} is not done`);
  return response;
}

function digestsOf(response: Uint8Array): string[] {
  return gatewayV1.ImportBagsResponse.decode(response).bags.map(({ result }) => {
    if (result?.$case !== "bag") throw new Error(`a file was not imported: ${JSON.stringify(result)}`);
    return result.value.name.split("/").at(-1) ?? "";
  });
}

/** Digest of every byte that a job leaves and that is the same whenever the same job is done. */
export function fingerprint(kind: JobKind, response: Uint8Array): string {
  const hash = createHash("sha256");
  for (const part of fingerprintParts(kind, response)) hash.update(`${part}\n`);
  return hash.digest("hex");
}

function fingerprintParts(kind: JobKind, response: Uint8Array): string[] {
  if (kind === "import") return digestsOf(response);
  if (kind === "batch") {
    const { tables, rowCount, scoredCount } = gatewayV1.BatchPredictResponse.decode(response);
    const files = tables.flatMap(({ name, csv, jsonl, parquet }) => [
      name,
      ...[csv, jsonl, parquet].map((file) => file?.sha256 ?? "missing"),
    ]);
    return [...files, `${scoredCount} of ${rowCount}`];
  }
  const { model } = gatewayV1.GetModelResponse.decode(response);
  const epochs = model?.history.map(({ trainLoss, validationLoss }) => `${trainLoss} ${validationLoss}`) ?? [];
  return [model?.reference?.manifest?.sha256 ?? "missing", ...epochs];
}

/** Every operation of the projects that a session uses. */
export async function listOperations(clients: Clients, projects: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const name of projects) {
    let pageToken = "";
    do {
      const page = await untilReached(() => clients.operations.listOperations({ name, pageSize: 50, pageToken }));
      names.push(...page.operations.map((operation) => operation.name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  return names;
}

/** The catalog's entry of what an operation trained, as bytes; undefined when there is none. */
export async function catalogEntry(clients: Clients, job: Job, serial: number): Promise<string | undefined> {
  const version = job.name.split("/").at(-1);
  const name = `${PARENT}/models/trained-${serial}/versions/${version}`;
  try {
    const { model } = await untilReached(() => clients.models.getModel({ name }));
    return model === undefined ? undefined : JSON.stringify(gatewayV1.Model.toJSON(model));
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
