import { reembedV1 } from "@parfocal/protocol";
import { defineService, type Logger, type RunningServer, startServer } from "@parfocal/runtime";
import type { ReembedConfig } from "./config.ts";

export { type ReembedConfig, reembedConfigFromEnv, reembedSettings } from "./config.ts";

/** A reembed stage that serves. */
export interface ReembedStage {
  readonly server: RunningServer;
  /** Stops serving and frees everything. */
  close(): Promise<void>;
}

/** Starts the stage. Its RPCs are in the contract and answer UNIMPLEMENTED until their method is here. */
export async function startReembed(config: ReembedConfig, logger: Logger): Promise<ReembedStage> {
  const services = [defineService(reembedV1.ReembedServiceDefinition, {})];
  const server = await startServer({ services, config, logger });
  return {
    server,
    async close() {
      await server.stop();
    },
  };
}
