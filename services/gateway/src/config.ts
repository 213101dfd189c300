import { RESOURCE_ID_PATTERN } from "@parfocal/protocol";
import {
  type CommonConfig,
  type ConfigOf,
  commonSettings,
  flagSetting,
  integerSetting,
  parseEnv,
  stageTlsSettings,
  textSetting,
} from "@parfocal/runtime";
import { workflowSettings } from "./workflow-settings.ts";

const ADDRESSES = /^[a-z0-9.[\]:-]{1,253}:\d{1,5}(?:,[a-z0-9.[\]:-]{1,253}:\d{1,5}){0,63}$/i;

/** Addresses of a stage; by default the port that the stage listens on by itself. */
function stageAddress(env: string, port: number) {
  return textSetting({
    env,
    fallback: `127.0.0.1:${port}`,
    pattern: ADDRESSES,
    expected: "host:port, or several with commas between",
    reason:
      "Address of the stage, or those of its replicas; by default the one it has when all services run on one machine.",
  });
}

/** The settings of the gateway. */
export const gatewaySettings = {
  ...commonSettings(50_050),
  ...workflowSettings,
  reembedAddress: stageAddress("PARFOCAL_REEMBED_ADDRESS", 50_051),
  aggregateAddress: stageAddress("PARFOCAL_AGGREGATE_ADDRESS", 50_052),
  pretrainAddress: stageAddress("PARFOCAL_PRETRAIN_ADDRESS", 50_053),
  requiredStages: textSetting({
    env: "PARFOCAL_REQUIRED_STAGES",
    fallback: "aggregate,reembed",
    pattern: /^(?:none|(?:aggregate|reembed|pretrain)(?:,(?:aggregate|reembed|pretrain))*)$/,
    expected: "none, or a comma-separated list of aggregate, reembed, pretrain",
    reason:
      "Stages without which the gateway says that it is not ready; none where stages scale to zero, as asking would wake them.",
  }),
  ...stageTlsSettings,
  importRoots: textSetting({
    env: "PARFOCAL_IMPORT_ROOTS",
    fallback: "",
    pattern: /^(?:(?:s3:\/\/|file:\/\/\/)[^,\s]+(?:,(?:s3:\/\/|file:\/\/\/)[^,\s]+)*)?$/,
    expected: "a comma-separated list of s3://bucket/prefix or file:///folder",
    reason:
      "Where imports, batches and inferences may read; nothing by default, so that no client reads through the gateway what it could not.",
  }),
  importProcesses: integerSetting({
    env: "PARFOCAL_IMPORT_PROCESSES",
    fallback: 2,
    min: 1,
    max: 64,
    unit: "processes",
    reason: "Files parsed at a time, each in a process of its own that a bad file may crash.",
  }),
  importHeapMb: integerSetting({
    env: "PARFOCAL_IMPORT_HEAP_MB",
    fallback: 2048,
    min: 128,
    max: 65_536,
    unit: "MiB",
    reason: "Largest heap of an import process; tensors lie outside it.",
  }),
  importFileSeconds: integerSetting({
    env: "PARFOCAL_IMPORT_FILE_SECONDS",
    fallback: 3600,
    min: 1,
    max: 86_400,
    unit: "s",
    reason: "How long one file may take, its download included: a parser that hangs keeps its process no longer.",
  }),
  maxUploadBytes: integerSetting({
    env: "PARFOCAL_MAX_UPLOAD_BYTES",
    fallback: 8 * 1024 ** 3,
    min: 1024,
    max: 1024 ** 4,
    unit: "bytes",
    reason: "Largest file of an upload; 100 000 tiles of 4 608 f32 features are 1.8 GB.",
  }),
  inferenceProject: textSetting({
    env: "PARFOCAL_INFERENCE_PROJECT",
    fallback: "default",
    pattern: RESOURCE_ID_PATTERN,
    expected: "a project's id",
    reason:
      "Project of models that Open Inference Protocol clients name by a bare id; whole names work in every project.",
  }),
  operationTtlHours: integerSetting({
    env: "PARFOCAL_OPERATION_TTL_HOURS",
    fallback: 720,
    min: 1,
    max: 876_000,
    unit: "hours",
    reason:
      "Age at which finished operations and their temporary objects are deleted; a month, for audits of what ran.",
  }),
  probesStore: flagSetting({
    env: "PARFOCAL_PROBE_STORE",
    fallback: true,
    reason: "Whether racing writes try the store at start: several self-hosted stores let two writers win.",
  }),
  stageLines: flagSetting({
    env: "PARFOCAL_STAGE_LINES",
    fallback: true,
    reason:
      "Whether predictions that come often share streams to the stages; false where a proxy between them holds back what a stream says until its end.",
  }),
  batchShardRows: integerSetting({
    env: "PARFOCAL_BATCH_SHARD_ROWS",
    fallback: 64,
    min: 1,
    max: 1024,
    unit: "rows",
    reason:
      "Rows of a manifest that are one step of a batch: what a crash repeats at most, and what one call of a stage gets.",
  }),
  batchCallsPerReplica: integerSetting({
    env: "PARFOCAL_BATCH_CALLS_PER_REPLICA",
    fallback: 2,
    min: 1,
    max: 64,
    unit: "calls",
    reason:
      "Shards that batches send to one address of a stage at a time; two, so that one is read while the other is computed.",
  }),
  maxOperations: integerSetting({
    env: "PARFOCAL_MAX_OPERATIONS",
    fallback: 4,
    min: 1,
    max: 1000,
    unit: "operations",
    reason: "Operations that run at a time; further ones wait in the order they were asked for.",
  }),
};

/** The values of {@link gatewaySettings}. */
export type GatewayConfig = CommonConfig & ConfigOf<typeof gatewaySettings>;

/** Reads the gateway's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function gatewayConfigFromEnv(env: NodeJS.ProcessEnv): GatewayConfig {
  return parseEnv(gatewaySettings, env);
}
