import { createLogger, describeConfig, runUntilSignal } from "@parfocal/runtime";
import { pretrainConfigFromEnv, pretrainSettings, startPretrain } from "./server.ts";

const config = pretrainConfigFromEnv(process.env);
const logger = createLogger({ service: "pretrain", level: config.logLevel });
for (const { env, value } of describeConfig(pretrainSettings, config)) logger.info("setting", { setting: env, value });

await runUntilSignal({ start: () => startPretrain(config, logger), logger });
