import { pretrainV1 } from "@parfocal/protocol";
import { defineService, type Logger } from "@parfocal/runtime";
import { type Stage, startStage } from "@parfocal/stage";
import type { PretrainConfig } from "./config.ts";
import type { PretrainDeps } from "./deps.ts";
import { createBuildRegions } from "./handlers/build-regions.ts";
import { createPretrain } from "./handlers/pretrain.ts";

export { type PretrainConfig, pretrainConfigFromEnv, pretrainSettings } from "./config.ts";

/** Starts the stage. @throws {DomainError} as {@link startStage}. */
export function startPretrain(
  config: PretrainConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Stage> {
  return startStage({
    config,
    logger,
    env,
    name: "pretrain",
    cacheBytes: 0,
    trainer: config.trainer,
    services: (deps) => [definePretrain(deps)],
  });
}

function definePretrain(deps: PretrainDeps) {
  return defineService(pretrainV1.PretrainServiceDefinition, {
    buildRegions: createBuildRegions(deps),
    pretrain: createPretrain(deps),
  });
}
