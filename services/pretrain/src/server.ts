import { pretrainV1 } from "@parfocal/protocol";
import { defineService, type Logger, type RunningServer, startServer } from "@parfocal/runtime";
import type { PretrainConfig } from "./config.ts";

export { type PretrainConfig, pretrainConfigFromEnv, pretrainSettings } from "./config.ts";

/** A pretrain stage that serves. */
export interface PretrainStage {
  readonly server: RunningServer;
  /** Stops serving and frees everything. */
  close(): Promise<void>;
}

/** Starts the stage. Its RPCs are in the contract and answer UNIMPLEMENTED until their method is here. */
export async function startPretrain(config: PretrainConfig, logger: Logger): Promise<PretrainStage> {
  const services = [defineService(pretrainV1.PretrainServiceDefinition, {})];
  const server = await startServer({ services, config, logger });
  return {
    server,
    async close() {
      await server.stop();
    },
  };
}
