import { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import { type ChannelToOptions, createChannelTo, createStageClient, type StageClientOptions } from "@parfocal/runtime";

/** The services of a gateway on one channel. */
export interface GatewayClients {
  readonly bags: ReturnType<typeof bagCalls>;
  readonly models: ReturnType<typeof modelCalls>;
  readonly training: ReturnType<typeof trainingCalls>;
  readonly prediction: ReturnType<typeof predictionCalls>;
  readonly operations: ReturnType<typeof operationCalls>;
  readonly watching: ReturnType<typeof watchingCalls>;
  close(): void;
}

type Channel = ReturnType<typeof createChannelTo>;

/** How the gateway is known and who calls it. */
export interface Caller extends Pick<ChannelToOptions, "credentials">, Pick<StageClientOptions, "bearerToken"> {}

/** Unary calls may take long on a busy machine: the user's patience bounds them, not this. */
const TIMEOUT_MS = 600_000;

const bagCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(gatewayV1.BagServiceDefinition, channel, {
    bearerToken,
    defaultTimeoutMs: TIMEOUT_MS,
    // Every request that builds has a request id.
    idempotentMethods: ["GetBag", "ListBags", "BuildRegions"],
  }).calls;
const modelCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(gatewayV1.ModelServiceDefinition, channel, {
    bearerToken,
    defaultTimeoutMs: TIMEOUT_MS,
    idempotentMethods: ["GetModel", "ListModels"],
  }).calls;
const trainingCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(gatewayV1.TrainingServiceDefinition, channel, {
    bearerToken,
    defaultTimeoutMs: TIMEOUT_MS,
    // Every request has a request id.
    idempotentMethods: ["Train", "Pretrain", "CrossValidate"],
  }).calls;
const predictionCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(gatewayV1.PredictionServiceDefinition, channel, {
    bearerToken,
    defaultTimeoutMs: TIMEOUT_MS,
    // Every request of a batch has a request id.
    idempotentMethods: ["Predict", "BatchPredict"],
  }).calls;
const operationCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(googleLongrunning.OperationsDefinition, channel, {
    bearerToken,
    defaultTimeoutMs: TIMEOUT_MS,
    idempotentMethods: ["GetOperation", "ListOperations", "CancelOperation"],
  }).calls;
const watchingCalls = (channel: Channel, { bearerToken }: Caller) =>
  createStageClient(gatewayV1.OperationServiceDefinition, channel, { bearerToken, defaultTimeoutMs: TIMEOUT_MS }).calls;

/** Clients of the gateway at `address` (`host:port`). Connects at the first call. */
export function createGatewayClients(address: string, caller: Caller = {}): GatewayClients {
  const channel = createChannelTo(address, caller.credentials === undefined ? {} : { credentials: caller.credentials });
  return {
    bags: bagCalls(channel, caller),
    models: modelCalls(channel, caller),
    training: trainingCalls(channel, caller),
    prediction: predictionCalls(channel, caller),
    operations: operationCalls(channel, caller),
    watching: watchingCalls(channel, caller),
    close: () => channel.close(),
  };
}
