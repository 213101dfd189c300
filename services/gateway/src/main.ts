import { createLogger, describeConfig, runUntilSignal } from "@parfocal/runtime";
import { gatewayConfigFromEnv, gatewaySettings, startGateway } from "./server.ts";

const config = gatewayConfigFromEnv(process.env);
const logger = createLogger({ service: "gateway", level: config.logLevel });
for (const { env, value } of describeConfig(gatewaySettings, config)) logger.info("setting", { setting: env, value });

await runUntilSignal({ start: () => startGateway(config, logger), logger });
