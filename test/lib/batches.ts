import { writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { gatewayV1, type googleLongrunning, resourceName } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import { readRecords } from "@parfocal/tables";
import { createBagCatalog } from "../../services/gateway/src/catalog/bag-catalog.ts";
import { PARENT } from "./requests.ts";
import type { Clients } from "./services.ts";

/** Uploads a manifest and gives its name. */
export async function uploadManifest(clients: Clients, text: string, parent = PARENT): Promise<string> {
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncIterable<gatewayV1.UploadManifestRequest> {
    yield await Promise.resolve({
      piece: { $case: "header", value: { parent, sizeBytes: BigInt(bytes.length) } },
    } as const);
    yield { piece: { $case: "chunk", value: bytes } };
  }
  return (await clients.prediction.uploadManifest(pieces())).upload;
}

/** Uploads a manifest and starts a batch of it. */
export async function startBatch(
  clients: Clients,
  manifest: string,
  request: Parameters<typeof gatewayV1.BatchPredictRequest.fromPartial>[0],
): Promise<googleLongrunning.Operation> {
  const manifestUpload = await uploadManifest(clients, manifest);
  return clients.prediction.batchPredict({ parent: PARENT, manifestUpload, ...request });
}

/** Waits for a batch; gives its response or throws what it failed with. */
export async function batchResponse(
  clients: Clients,
  operation: googleLongrunning.Operation,
): Promise<gatewayV1.BatchPredictResponse> {
  const done = await clients.operations.waitOperation({ name: operation.name }, { timeoutMs: 120_000 });
  if (done.result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(done.result)}`);
  return gatewayV1.BatchPredictResponse.decode(done.result.value.value);
}

/** A file of an operation's results. */
export async function downloadResult(clients: Clients, name: string, file: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of clients.watching.downloadResult({ name, file })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The rows of a CSV or JSONL file of an operation's results. */
export async function readResult(
  clients: Clients,
  name: string,
  file: string,
): Promise<Readonly<Record<string, string>>[]> {
  const bytes = await downloadResult(clients, name, file);
  const records = await Array.fromAsync(readRecords(only(bytes)));
  return records.map(({ values }) => Object.fromEntries(values));
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Digests of every file of a response's tables. */
export function digestsOf({ tables }: gatewayV1.BatchPredictResponse): readonly (string | undefined)[] {
  return tables.flatMap(({ csv, jsonl, parquet }) => [csv?.sha256, jsonl?.sha256, parquet?.sha256]);
}

/** Writes bags of `n` tiles that differ and enters them, straight into the store: an import of each would take longer than a batch. */
export async function enterBags(
  store: ObjectStore,
  project: string,
  { count, n, d }: { readonly count: number; readonly n: number; readonly d: number },
): Promise<string[]> {
  const catalog = createBagCatalog(store);
  const rng = createRng(1n);
  const data = Float32Array.from({ length: n * d }, () => 2 * rng.nextFloat() - 1);
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    data[0] = index;
    const bag = { n, d, features: { dtype: "F32", data }, metadata: { slideId: `s${index}` } } as const;
    const ref = await writeBag(store, `projects/${project}/bags/`, bag);
    await catalog.add(project, { ref, metadata: bag.metadata });
    names.push(resourceName("bag", { project, bag: ref.digest }));
  }
  return names;
}
