import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import type { PlantedSlide } from "./cohort.ts";
import type { Clients } from "./services.ts";

/** Project of the tests. */
export const PARENT = "projects/test";

/** The pieces of an upload of bytes. */
export async function* piecesOf(fileName: string, bytes: Uint8Array): AsyncIterable<gatewayV1.UploadBagRequest> {
  const header = { parent: PARENT, fileName, sizeBytes: BigInt(bytes.length), hints: undefined };
  yield { piece: { $case: "header", value: header } };
  for (let start = 0; start < bytes.length; start += 65_536) {
    yield { piece: { $case: "chunk", value: Buffer.from(bytes.subarray(start, start + 65_536)) } };
  }
}

/** Uploads a file that makes one bag and gives the bag with whether it was there. */
export async function upload(clients: Clients, fileName: string, bytes: Uint8Array) {
  const { bags } = await clients.bags.uploadBag(piecesOf(fileName, bytes));
  const [only] = bags;
  if (bags.length !== 1 || only?.result?.$case !== "bag")
    throw new Error(`no single bag: ${JSON.stringify(only?.result)}`);
  return { bag: only.result.value, existed: only.existed, inferred: only.inferred };
}

/** Uploads a cohort; gives the bags' names in order. */
export async function uploadCohort(clients: Clients, slides: readonly PlantedSlide[]): Promise<string[]> {
  const names: string[] = [];
  for (const { fileName, bytes } of slides) names.push((await upload(clients, fileName, bytes)).bag.name);
  return names;
}

/** A request that trains a small gated ABMIL on a cohort. */
export function trainRequest(
  slides: readonly PlantedSlide[],
  names: readonly string[],
  options: {
    readonly modelId?: string;
    readonly epochs?: number;
    readonly requestId?: string;
    readonly seed?: bigint;
  } = {},
) {
  const { modelId = "tumour", epochs = 12, requestId = "", seed = 5n } = options;
  return gatewayV1.TrainRequest.fromPartial({
    parent: PARENT,
    modelId,
    requestId,
    bags: slides.map(({ label, patient }, i) => ({ bag: names[i] ?? "", labels: [label], patientId: patient })),
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["normal", "tumour"] },
      architecture: {
        head: {
          trunk: { hidden: [32], dropout: 0.1 },
          kind: { $case: "abmil", value: { attentionWidth: 16, gated: true } },
        },
      },
      recipe: { epochs, optimiser: { kind: commonV1.Optimiser_Kind.KIND_ADAMW, learningRate: 3e-3 }, seed },
      split: { validationFraction: 0.2, testFraction: 0.2 },
    },
  });
}

/** Waits for an operation; gives the trained model or throws what it failed with. */
export async function trainedModel(clients: Clients, operation: googleLongrunning.Operation): Promise<gatewayV1.Model> {
  const done = await clients.operations.waitOperation({ name: operation.name }, { timeoutMs: 120_000 });
  if (done.result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(done.result)}`);
  const { model } = gatewayV1.GetModelResponse.decode(done.result.value.value);
  if (model === undefined) throw new Error("the response has no model");
  return model;
}

/** The metadata of an operation. */
export function metadataOf(operation: googleLongrunning.Operation | undefined): gatewayV1.OperationMetadata {
  return gatewayV1.OperationMetadata.decode(operation?.metadata?.value ?? new Uint8Array());
}
