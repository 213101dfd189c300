import { createLogger, describeConfig, runUntilSignal } from "@parfocal/runtime";
import { aggregateConfigFromEnv, aggregateSettings, startAggregate } from "./server.ts";

const config = aggregateConfigFromEnv(process.env);
const logger = createLogger({ service: "aggregate", level: config.logLevel });
for (const { env, value } of describeConfig(aggregateSettings, config)) logger.info("setting", { setting: env, value });

await runUntilSignal({ start: () => startAggregate(config, logger), logger });
