import { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import { createChannelTo, createStageClient } from "@parfocal/runtime";

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

/** Unary calls may take long on a busy machine: the user's patience bounds them, not this. */
const TIMEOUT_MS = 600_000;

const bagCalls = (channel: Channel) =>
  createStageClient(gatewayV1.BagServiceDefinition, channel, {
    defaultTimeoutMs: TIMEOUT_MS,
    // Every request that builds has a request id.
    idempotentMethods: ["GetBag", "ListBags", "BuildRegions"],
  }).calls;
const modelCalls = (channel: Channel) =>
  createStageClient(gatewayV1.ModelServiceDefinition, channel, {
    defaultTimeoutMs: TIMEOUT_MS,
    idempotentMethods: ["GetModel", "ListModels"],
  }).calls;
const trainingCalls = (channel: Channel) =>
  createStageClient(gatewayV1.TrainingServiceDefinition, channel, {
    defaultTimeoutMs: TIMEOUT_MS,
    // Every request has a request id.
    idempotentMethods: ["Train", "Pretrain"],
  }).calls;
const predictionCalls = (channel: Channel) =>
  createStageClient(gatewayV1.PredictionServiceDefinition, channel, {
    defaultTimeoutMs: TIMEOUT_MS,
    idempotentMethods: ["Predict"],
  }).calls;
const operationCalls = (channel: Channel) =>
  createStageClient(googleLongrunning.OperationsDefinition, channel, {
    defaultTimeoutMs: TIMEOUT_MS,
    idempotentMethods: ["GetOperation", "ListOperations", "CancelOperation"],
  }).calls;
const watchingCalls = (channel: Channel) =>
  createStageClient(gatewayV1.OperationServiceDefinition, channel, { defaultTimeoutMs: TIMEOUT_MS }).calls;

/** Clients of the gateway at `address` (`host:port`). Connects at the first call. */
export function createGatewayClients(address: string): GatewayClients {
  const channel = createChannelTo(address);
  return {
    bags: bagCalls(channel),
    models: modelCalls(channel),
    training: trainingCalls(channel),
    prediction: predictionCalls(channel),
    operations: operationCalls(channel),
    watching: watchingCalls(channel),
    close: () => channel.close(),
  };
}
