import { aggregateV1, gatewayV1, googleLongrunning, inferenceV2, pretrainV1, reembedV1 } from "@parfocal/protocol";
import {
  assertStoreAnswers,
  createOperationMetrics,
  createReadiness,
  createReplicaClient,
  createServerMetrics,
  createStageCallMetrics,
  createStageCredentials,
  defineService,
  type Logger,
  observeStore,
  openOrClose,
  type RunningServer,
  startServer,
} from "@parfocal/runtime";
import { openStore, storeOptionsFromEnv } from "@parfocal/store";
import { inferenceNames, LIMITS, PROJECT_FREE } from "./access.ts";
import { createGate } from "./batch/gate.ts";
import { createBagCatalog } from "./catalog/bag-catalog.ts";
import { createModelCatalog } from "./catalog/model-catalog.ts";
import { checkStore } from "./check-store.ts";
import type { GatewayConfig } from "./config.ts";
import type { GatewayDeps } from "./deps.ts";
import { scheduleExpiry } from "./expiry.ts";
import { createDeleteBag, createGetBag, createListBags } from "./handlers/bags.ts";
import { createBatchPredict } from "./handlers/batch-predict.ts";
import { createBuildRegions } from "./handlers/build-regions.ts";
import { createCompareModels } from "./handlers/compare-models.ts";
import { createCrossValidate } from "./handlers/cross-validate.ts";
import { createDownloadResult } from "./handlers/download-result.ts";
import { createImportBags } from "./handlers/import-bags.ts";
import { createImportModel } from "./handlers/import-model.ts";
import {
  createModelMetadata,
  createModelReady,
  createServerLive,
  createServerMetadata,
  createServerReady,
} from "./handlers/inference-status.ts";
import { createModelInfer } from "./handlers/model-infer.ts";
import { createDeleteModel, createGetModel, createListModels, createSetAlias } from "./handlers/models.ts";
import {
  createCancelOperation,
  createDeleteOperation,
  createGetOperation,
  createListOperations,
  createWaitOperation,
} from "./handlers/operations.ts";
import { createPredict } from "./handlers/predict.ts";
import { createListPresets } from "./handlers/presets.ts";
import { createPretrain } from "./handlers/pretrain.ts";
import { createReembed } from "./handlers/reembed.ts";
import { createTrain } from "./handlers/train.ts";
import { createUploadBag } from "./handlers/upload-bag.ts";
import { createUploadCheckpoint } from "./handlers/upload-checkpoint.ts";
import { createUploadManifest } from "./handlers/upload-manifest.ts";
import { createWatchOperation } from "./handlers/watch-operation.ts";
import { createBagImporter } from "./imports/bag-importer.ts";
import { createImportPool } from "./imports/import-pool.ts";
import { createSourceRoots, type SourceRoots } from "./imports/source-roots.ts";
import { createTemporaryBags } from "./imports/temporary-bag.ts";
import { removeStaleFolders } from "./imports/temporary-folders.ts";
import { observeWorkflows } from "./observe-workflows.ts";
import { createStageHealth } from "./stage-health.ts";
import { openWorkflowDriver } from "./workflow-driver.ts";
import { createBatchPredictWorkflow } from "./workflows/batch-predict.ts";
import { createBuildRegionsWorkflow } from "./workflows/build-regions.ts";
import { createCrossValidateWorkflow } from "./workflows/cross-validate.ts";
import { createImportBagsWorkflow } from "./workflows/import-bags.ts";
import { createImportModelWorkflow } from "./workflows/import-model.ts";
import { createPretrainWorkflow } from "./workflows/pretrain.ts";
import { createTrainWorkflow } from "./workflows/train.ts";

export { type GatewayConfig, gatewayConfigFromEnv, gatewaySettings } from "./config.ts";

/** A gateway that serves. */
export interface Gateway {
  readonly server: RunningServer;
  /** Stops serving, leaves running operations resumable, frees everything. */
  close(): Promise<void>;
}

/** Something that is open. */
interface Closable {
  close(): Promise<void> | void;
}

/** Re-embeddings of a shard that one replica gets at a time: one is computed while others are read and written. */
const REEMBEDDINGS_PER_SHARD = 2;

/** Any key will do to see that the store answers. */
const OWNER_KEY = "operations/.owner";

/** URIs of the places that clients may import from. */
function rootsOf({ importRoots }: GatewayConfig): readonly string[] {
  return importRoots === "" ? [] : importRoots.split(",");
}

/** Imports that may wait for a process. */
const MAX_WAITING_IMPORTS = 256;

/**
 * Starts the gateway: removes what dead ones left at `TMPDIR`, opens the store, resumes the operations an earlier process left,
 * connects to the stages, serves. A start that fails leaves nothing open.
 *
 * @throws {DomainError} `CONFLICT` when another gateway runs the operations of this store; see {@link startServer}.
 */
export async function startGateway(config: GatewayConfig, logger: Logger, env = process.env): Promise<Gateway> {
  await removeStaleFolders();
  return openOrClose(logger, (opened) => openGateway(config, logger, env, opened));
}

async function openGateway(
  config: GatewayConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv,
  opened: AsyncDisposableStack,
): Promise<Gateway> {
  const keep = <T extends Closable>(part: T): T => opened.adopt(part, (each) => each.close());
  const options = storeOptionsFromEnv(env);
  const metrics = createServerMetrics();
  const store = keep(observeStore(openStore(config.storeUri, options), metrics.registry));
  const bags = createBagCatalog(store);
  const models = createModelCatalog(store);
  const { importProcesses: maxProcesses, importHeapMb: heapMb, importFileSeconds: maxFileSeconds } = config;
  const pool = keep(createImportPool({ maxProcesses, maxWaiting: MAX_WAITING_IMPORTS, heapMb, maxFileSeconds }));
  const address = { uri: store.rootUri, options };
  const importer = createBagImporter(store, address, bags, pool);
  const temporaryBags = createTemporaryBags(store, address, pool);
  const roots = createSourceRoots(rootsOf(config), options, store.rootUri);
  if (config.probesStore) await checkStore(store, logger);
  const credentials = keep(createStageCredentials(config, logger));
  const stageOptions = { channel: credentials.channel, metrics: createStageCallMetrics(metrics.registry) };
  const { AggregateServiceDefinition } = aggregateV1;
  const aggregateOptions = {
    ...{ idempotentMethods: ["Predict", "Attention", "Evaluate"], lineMethods: config.stageLines ? ["Predict"] : [] },
    ...stageOptions,
  };
  const aggregate = keep(createReplicaClient(AggregateServiceDefinition, config.aggregateAddress, aggregateOptions));
  const reembed = keep(createReplicaClient(reembedV1.ReembedServiceDefinition, config.reembedAddress, stageOptions));
  const { PretrainServiceDefinition } = pretrainV1;
  const pretrain = keep(createReplicaClient(PretrainServiceDefinition, config.pretrainAddress, stageOptions));
  const batchCalls = (nReplicas: number) => config.batchCallsPerReplica * nReplicas;
  const gates = {
    aggregate: createGate(batchCalls(aggregate.nReplicas)),
    reembed: createGate(REEMBEDDINGS_PER_SHARD * batchCalls(reembed.nReplicas)),
  };
  const batchDeps = { store, bags, models, roots, shardRows: config.batchShardRows, gates };
  // One shard more than are computed, so that its bags are looked up or re-embedded meanwhile.
  const concurrentShards = batchCalls(aggregate.nReplicas) + reembed.nReplicas;
  const workflows = {
    train: createTrainWorkflow({ store, bags, models, aggregate: aggregate.calls }),
    import: createImportBagsWorkflow(store, importer, roots),
    "import-model": createImportModelWorkflow({ store, models, aggregate: aggregate.calls }, roots),
    batch: createBatchPredictWorkflow({
      ...batchDeps,
      ...{ concurrentShards, aggregate: aggregate.calls, reembed: reembed.calls },
    }),
    "build-regions": createBuildRegionsWorkflow({ store, bags, pretrain: pretrain.calls }),
    "cross-validate": createCrossValidateWorkflow({
      ...{ store, bags, models, aggregate: aggregate.calls, concurrentFolds: aggregate.nReplicas },
    }),
    pretrain: createPretrainWorkflow({ store, bags, models, pretrain: pretrain.calls }),
  };
  const registry = observeWorkflows(workflows, {
    metrics: createOperationMetrics(metrics.registry),
    logger,
    isResident: config.workflows === "embedded",
  });
  const operations = keep(await openWorkflowDriver(config, store, registry, logger));
  opened.adopt(scheduleExpiry({ operations, store }, config.operationTtlHours, logger), (expiry) => expiry.stop());
  const stages = { aggregate: aggregate.calls, reembed: reembed.calls, pretrain: pretrain.calls };
  const health = keep(createStageHealth(config, credentials.channel));
  const areStagesServing = health.areServing;
  const files = { importer, temporaryBags };
  const deps: GatewayDeps = { store, bags, models, ...files, operations, ...stages, areStagesServing, logger };
  // A worker serves nobody; its health can be asked all the same.
  const isWorkerOnly = config.workflows === "temporal" && config.temporalRole === "worker";
  const services = isWorkerOnly ? [] : defineServices(deps, config, roots);
  const readiness = await createReadiness({
    checks: [...health.checks, { name: "store", check: (signal) => assertStoreAnswers(store, OWNER_KEY, signal) }],
    ...{ logger, intervalMs: config.readinessMs },
  });
  const server = await startServer({
    ...{ name: "gateway", services, config, logger, metrics, readiness },
    limits: LIMITS,
    ...{ projectFree: PROJECT_FREE, namesIn: inferenceNames(config.inferenceProject), storeRootUri: store.rootUri },
  });
  opened.defer(async () => void (await server.stop()));
  return { server, close: () => opened.disposeAsync() };
}

/** Every service of the gateway; methods without a handler answer UNIMPLEMENTED. */
function defineServices(deps: GatewayDeps, config: GatewayConfig, roots: SourceRoots) {
  return [
    defineService(gatewayV1.PredictionServiceDefinition, {
      predict: createPredict(deps),
      reembed: createReembed(deps),
      batchPredict: createBatchPredict(deps, roots),
      uploadManifest: createUploadManifest(deps),
    }),
    defineService(gatewayV1.TrainingServiceDefinition, {
      train: createTrain(deps),
      pretrain: createPretrain(deps),
      crossValidate: createCrossValidate(deps),
      listPresets: createListPresets(),
    }),
    defineService(gatewayV1.ModelServiceDefinition, {
      getModel: createGetModel(deps),
      listModels: createListModels(deps),
      deleteModel: createDeleteModel(deps),
      setAlias: createSetAlias(deps),
      importModel: createImportModel(deps, roots),
      uploadCheckpoint: createUploadCheckpoint(deps),
      compareModels: createCompareModels(deps),
    }),
    defineService(gatewayV1.BagServiceDefinition, {
      importBags: createImportBags(deps, roots),
      buildRegions: createBuildRegions(deps),
      uploadBag: createUploadBag(deps, config.maxUploadBytes),
      getBag: createGetBag(deps),
      listBags: createListBags(deps),
      deleteBag: createDeleteBag(deps),
    }),
    defineService(googleLongrunning.OperationsDefinition, {
      getOperation: createGetOperation(deps),
      listOperations: createListOperations(deps),
      cancelOperation: createCancelOperation(deps),
      deleteOperation: createDeleteOperation(deps),
      waitOperation: createWaitOperation(deps),
    }),
    defineService(gatewayV1.OperationServiceDefinition, {
      watchOperation: createWatchOperation(deps),
      downloadResult: createDownloadResult(deps),
    }),
    defineService(inferenceV2.GRPCInferenceServiceDefinition, {
      serverLive: createServerLive(),
      serverReady: createServerReady(deps),
      serverMetadata: createServerMetadata(),
      modelReady: createModelReady(deps, config.inferenceProject),
      modelMetadata: createModelMetadata(deps, config.inferenceProject),
      modelInfer: createModelInfer({ ...deps, roots }, inferOptions(config)),
    }),
  ];
}

/** An answer holds at most three arrays (weights, places and the classes), which together must fit a message. */
function inferOptions({ inferenceProject, maxSendBytes }: GatewayConfig) {
  return { defaultProject: inferenceProject, maxArrayBytes: Math.floor(maxSendBytes / 4) };
}
