import type { CommonConfig } from "../config/common-settings.ts";

/** The settings a server needs, of the ones every service has. */
export type ServerConfig = Omit<
  CommonConfig,
  "storeUri" | "device" | "threads" | "logLevel" | "otlpEndpoint" | "traceRatio"
>;
