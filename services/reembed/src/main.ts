import { createLogger, describeConfig, runUntilSignal } from "@parfocal/runtime";
import { reembedConfigFromEnv, reembedSettings, startReembed } from "./server.ts";

const config = reembedConfigFromEnv(process.env);
const logger = createLogger({ service: "reembed", level: config.logLevel });
for (const { env, value } of describeConfig(reembedSettings, config)) logger.info("setting", { setting: env, value });

await runUntilSignal({ start: () => startReembed(config, logger), logger });
