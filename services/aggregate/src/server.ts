import { aggregateV1 } from "@parfocal/protocol";
import {
  createCacheMetrics,
  createThinningReport,
  defineService,
  type LimitsByMethod,
  type Logger,
} from "@parfocal/runtime";
import { bytesFromMb, type Stage, startStage } from "@parfocal/stage";
import { rememberStarts } from "@parfocal/store";
import { createModelCache } from "@parfocal/training";
import type { AggregateConfig } from "./config.ts";
import type { AggregateDeps } from "./deps.ts";
import { createAttention } from "./handlers/attention.ts";
import { createEvaluate } from "./handlers/evaluate.ts";
import { createImportModel } from "./handlers/import-model.ts";
import { createMeasure } from "./handlers/measure.ts";
import { createPredict } from "./handlers/predict.ts";
import { createPredictMany } from "./handlers/predict-many.ts";
import { createTrain } from "./handlers/train.ts";

export { type AggregateConfig, aggregateConfigFromEnv, aggregateSettings } from "./config.ts";
export { trainSpecFromWire } from "./spec-from-wire.ts";

/** Starts the stage. @throws {DomainError} as {@link startStage}. */
export function startAggregate(
  config: AggregateConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Stage> {
  return startStage({
    ...{ config, logger, env, name: "aggregate" },
    cacheBytes: bytesFromMb(config.cacheMb),
    trainer: config.trainer,
    limits: limitsOf(config),
    services: (deps) => {
      const count = createCacheMetrics(deps.metrics.registry);
      const models = createModelCache(deps.store, config.cachedModels, count("model"));
      const reportThinning = createThinningReport(deps.metrics.registry, logger);
      return [defineAggregate({ ...deps, models, checkpointMs: config.checkpointMs, reportThinning })];
    },
  });
}

/** The longest that the gateway's workflows wait for one answer, ms. */
const WORKFLOW_TIMEOUT_MS = 3_600_000;

/** Calls that workflows make are taken with their deadline, however little the configuration allows to others. */
function limitsOf({ maxDeadlineMs }: Pick<AggregateConfig, "maxDeadlineMs">): LimitsByMethod {
  const ofWorkflows = { maxDeadlineMs: Math.max(maxDeadlineMs, WORKFLOW_TIMEOUT_MS) };
  const { fullName } = aggregateV1.AggregateServiceDefinition;
  return Object.fromEntries(["Evaluate", "Measure", "ImportModel"].map((name) => [`${fullName}/${name}`, ofWorkflows]));
}

function defineAggregate(deps: AggregateDeps) {
  // One bag is asked about by several models, and for its attention after its prediction.
  const remembering = { ...deps, store: rememberStarts(deps.store) };
  return defineService(aggregateV1.AggregateServiceDefinition, {
    predict: createPredict(remembering),
    predictMany: createPredictMany(deps),
    attention: createAttention(remembering),
    train: createTrain(deps),
    evaluate: createEvaluate(deps),
    measure: createMeasure(),
    importModel: createImportModel(deps),
  });
}
