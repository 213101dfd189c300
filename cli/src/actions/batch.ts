import { randomUUID } from "node:crypto";
import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { assertModelChoice, chosenNames, isEnsembleChosen } from "../client/chosen-models.ts";
import type { GatewayClients } from "../client/clients.ts";
import { followOperation, metadataOf } from "../client/follow-operation.ts";
import { modelNameOf } from "../client/model-name.ts";
import { operationNameOf } from "../client/operation-name.ts";
import { downloadResults, filesOfTable } from "../client/results.ts";
import { uploadManifest } from "../client/upload-manifest.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `batch`. */
export interface BatchCommandOptions {
  readonly models?: readonly string[];
  readonly crossval?: string;
  readonly ensemble?: boolean;
  readonly retry?: string;
  readonly patientRule?: "mean" | "max";
  readonly transient?: boolean;
  readonly out?: string;
  readonly requestId?: string;
  readonly wait: boolean;
}

const { PATIENT_RULE_MEAN, PATIENT_RULE_MAX } = gatewayV1.BatchPredictRequest_PatientRule;
const PATIENT_RULES = { mean: PATIENT_RULE_MEAN, max: PATIENT_RULE_MAX };

/** A manifest that the gateway reads by itself. */
const URI = /^(?:s3|file):\/\//;

/** How long the gateway may take to tell what it keeps, ms: the command has failed already. */
const ASK_MS = 10_000;

/** `parfocal batch MANIFEST --models M` and `parfocal batch --retry OPERATION`. */
export async function runBatch(
  context: CommandContext,
  manifest: string | undefined,
  options: BatchCommandOptions,
): Promise<ExitCode> {
  const { output, signal } = context;
  assertUsage(manifest, options);
  if (options.wait) await assertFolderPlace("--out", options.out ?? ".");
  const { clients, isEmbedded } = await context.connect();
  if (!options.wait && isEmbedded) {
    throw new UsageError("--no-wait needs a gateway that outlives this command: run 'parfocal up', or give --gateway");
  }
  const request = await requestOf(context, clients, manifest, options);
  const { name } = await clients.prediction.batchPredict(request, { signal });
  if (!options.wait) {
    output.record({ operation: name });
    output.line(name);
    return EXIT_CODES.ok;
  }
  try {
    return await finishBatch(context, clients, name, options.out ?? `batch-${idOf(name).slice(0, 8)}`);
  } catch (error) {
    await tellWhatIsKept(context, clients, name);
    throw error;
  }
}

async function requestOf(
  context: CommandContext,
  clients: GatewayClients,
  manifest: string | undefined,
  { models = [], crossval, ensemble = false, retry, patientRule, transient = false, requestId }: BatchCommandOptions,
): Promise<gatewayV1.BatchPredictRequest> {
  const { parent, signal } = context;
  const choice = { models, ensemble, crossval };
  const names = await chosenNames(clients, parent, choice, signal);
  const isUri = manifest !== undefined && URI.test(manifest);
  return gatewayV1.BatchPredictRequest.fromPartial({
    parent,
    models: names.map((name) => modelNameOf(parent, name)),
    ensemble: isEnsembleChosen(choice),
    ...(isUri && { manifestUri: manifest }),
    ...(manifest !== undefined && !isUri && { manifestUpload: await uploadManifest(clients, manifest, context) }),
    ...(retry !== undefined && { retryOf: operationNameOf(parent, retry) }),
    // A batch that is tried again has one.
    ...(patientRule !== undefined && { patientRule: PATIENT_RULES[patientRule] }),
    transient,
    requestId: requestId ?? randomUUID(),
  });
}

/** Follows a batch to its end, fetches its results and shows what came of it. */
async function finishBatch(
  context: CommandContext,
  clients: GatewayClients,
  name: string,
  folder: string,
): Promise<ExitCode> {
  const { output, signal } = context;
  const response = responseOf(await followOperation(clients, name, { output, signal, isOwner: true }));
  const wanted = { name, files: response.tables.flatMap(filesOfTable), folder, option: "--out", signal };
  const files = await downloadResults(clients, wanted);
  show(context, name, response, { folder, files });
  return response.failedCount > 0n ? EXIT_CODES.failed : EXIT_CODES.ok;
}

/** How to go on with a batch that did not come to its end here; nothing when it ended before it had read its manifest. */
async function tellWhatIsKept({ output }: CommandContext, clients: GatewayClients, name: string): Promise<void> {
  // Without the signal, which may have fired. When the gateway does not answer, the error that brought us here says more than that.
  const operation = await clients.operations.getOperation({ name }, { timeoutMs: ASK_MS }).catch(() => undefined);
  const id = idOf(name);
  if (operation?.done !== true) output.note(`parfocal operations watch ${id} tells how the batch goes on`);
  else if (operation.result?.$case === "response")
    output.note(`the results are kept: parfocal batch --retry ${id} fetches them`);
  // Rows are counted from when the manifest has been read and looked up, which is what a retry goes on from.
  else if (metadataOf(operation).counters.total !== undefined)
    output.note(`what is done is kept: parfocal batch --retry ${id} does the rest`);
}

function assertUsage(manifest: string | undefined, { models, crossval, retry }: BatchCommandOptions): void {
  if (retry !== undefined) {
    if (manifest === undefined && models === undefined && crossval === undefined) return;
    throw new UsageError("--retry has its manifest and models already; give neither beside it");
  }
  if (manifest === undefined) throw new UsageError("name a manifest, or give --retry");
  assertModelChoice({ models, crossval }, "--models");
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function responseOf({ result }: googleLongrunning.Operation): gatewayV1.BatchPredictResponse {
  return gatewayV1.BatchPredictResponse.decode(result?.$case === "response" ? result.value.value : new Uint8Array());
}

function show(
  { output }: CommandContext,
  operation: string,
  response: gatewayV1.BatchPredictResponse,
  { folder, files }: { readonly folder: string; readonly files: readonly string[] },
): void {
  const { rowCount, scoredCount, failedCount, patientCount, models } = response;
  output.record({ operation, rowCount, scoredCount, failedCount, patientCount, models, files });
  output.line(
    `${scoredCount} of ${plural(Number(rowCount), "row")} scored, ${plural(Number(patientCount), "patient")}`,
  );
  if (failedCount > 0n) {
    output.line(`${failedCount} failed; failures.csv says why, and this tries them again:`);
    output.line(`  parfocal batch --retry ${idOf(operation)}`);
  }
  output.line(`results in ${folder}/`);
}
