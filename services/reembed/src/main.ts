import { createLogger, describeConfig, runUntilSignal } from "@parfocal/runtime";
import { reembedConfigFromEnv, reembedSettings, startReembed } from "./server.ts";

const config = reembedConfigFromEnv(process.env);
const logger = createLogger({ service: "reembed", level: config.logLevel });
for (const { env, value } of describeConfig(reembedSettings, config)) logger.info("setting", { setting: env, value });

const stage = await startReembed(config, logger);
await runUntilSignal({ server: stage.server, logger, close: () => stage.close() });
