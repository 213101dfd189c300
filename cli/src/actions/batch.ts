import { randomUUID } from "node:crypto";
import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { followOperation } from "../client/follow-operation.ts";
import { modelNameOf } from "../client/model-name.ts";
import { downloadResults, filesOfTable } from "../client/results.ts";
import { uploadManifest } from "../client/upload-manifest.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `batch`. */
export interface BatchCommandOptions {
  readonly models?: readonly string[];
  readonly retry?: string;
  readonly patientRule: "mean" | "max";
  readonly transient?: boolean;
  readonly out?: string;
  readonly requestId?: string;
  readonly wait: boolean;
}

const { PATIENT_RULE_MEAN, PATIENT_RULE_MAX } = gatewayV1.BatchPredictRequest_PatientRule;

/** A manifest that the gateway reads by itself. */
const URI = /^(?:s3|file):\/\//;

/** `parfocal batch MANIFEST --models M` and `parfocal batch --retry OPERATION`. */
export async function runBatch(
  context: CommandContext,
  manifest: string | undefined,
  options: BatchCommandOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  assertUsage(manifest, options);
  const { clients, isEmbedded } = await context.connect();
  if (!options.wait && isEmbedded) {
    throw new UsageError("--no-wait needs a gateway that outlives this command: run 'parfocal up', or give --gateway");
  }
  const isUri = manifest !== undefined && URI.test(manifest);
  const request = gatewayV1.BatchPredictRequest.fromPartial({
    parent,
    models: (options.models ?? []).map((name) => modelNameOf(parent, name)),
    ...(isUri && { manifestUri: manifest }),
    ...(manifest !== undefined && !isUri && { manifestUpload: await uploadManifest(clients, manifest, context) }),
    ...(options.retry !== undefined && { retryOf: operationName(parent, options.retry) }),
    patientRule: options.patientRule === "max" ? PATIENT_RULE_MAX : PATIENT_RULE_MEAN,
    transient: options.transient ?? false,
    requestId: options.requestId ?? randomUUID(),
  });
  const { name } = await clients.prediction.batchPredict(request, { signal });
  if (!options.wait) {
    output.record({ operation: name });
    output.line(name);
    return EXIT_CODES.ok;
  }
  const done = await followOperation(clients, name, { output, signal, isOwner: true }).catch((error: unknown) => {
    output.note(`what is done is kept: parfocal batch --retry ${name.slice(name.lastIndexOf("/") + 1)} does the rest`);
    throw error;
  });
  const response = responseOf(done);
  const folder = options.out ?? `batch-${name.slice(name.lastIndexOf("/") + 1).slice(0, 8)}`;
  const files = await downloadResults(clients, { name, files: response.tables.flatMap(filesOfTable), folder, signal });
  show(context, name, response, { folder, files });
  return response.failedCount > 0n ? EXIT_CODES.failed : EXIT_CODES.ok;
}

function assertUsage(manifest: string | undefined, { models, retry }: BatchCommandOptions): void {
  if (retry !== undefined) {
    if (manifest === undefined && models === undefined) return;
    throw new UsageError("--retry has its manifest and models already; give neither beside it");
  }
  if (manifest === undefined) throw new UsageError("name a manifest, or give --retry");
  if (models === undefined) throw new UsageError("give --models");
}

function operationName(parent: string, named: string): string {
  return named.startsWith("projects/") ? named : `${parent}/operations/${named.replace(/^operations\//, "")}`;
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
    output.line(`  parfocal batch --retry ${operation.slice(operation.lastIndexOf("/") + 1)}`);
  }
  output.line(`results in ${folder}/`);
}
