export { type Channel, type ChannelToOptions, createChannelTo } from "./client/create-channel-to.ts";
export { createReplicaClient, type ReplicaClient } from "./client/create-replica-client.ts";
export { createStageClient, type StageClient, type StageClientOptions } from "./client/create-stage-client.ts";
export { type RetryOptions, retryDelayMs } from "./client/retry.ts";
export type { ParentCall, StageCallOptions } from "./client/stage-middleware.ts";
export { type CommonConfig, commonSettings } from "./config/common-settings.ts";
export {
  type ConfigLine,
  type ConfigOf,
  describeConfig,
  parseEnv,
  type Settings,
  settingsTable,
} from "./config/parse-env.ts";
export { securitySettings } from "./config/security-settings.ts";
export {
  choiceSetting,
  flagSetting,
  integerSetting,
  optionalIntegerSetting,
  type Setting,
  type SettingOptions,
  textSetting,
} from "./config/setting.ts";
export { CODE_BY_STATUS, type RpcError, STATUS_BY_CODE, statusFromError, toRpcError } from "./error-map.ts";
export { domainErrorFromRpc, domainErrorFromStatus } from "./errors/domain-error-from-rpc.ts";
export { ERROR_DOMAIN, RETRY_AFTER_KEY } from "./errors/rpc-details.ts";
export { createCallerCredentials } from "./security/caller-credentials.ts";
export {
  createStageCredentials,
  type StageCredentials,
  type StageTlsConfig,
  stageTlsSettings,
} from "./security/stage-credentials.ts";
export type { LimitsByMethod, MethodLimits } from "./server/admit.ts";
export {
  type Authorizer,
  type CallToAuthorize,
  createLoopbackAuthorizer,
  createOpenAuthorizer,
  isLoopbackHost,
  type Principal,
} from "./server/authorizer.ts";
export type { CallScope, HandlerContext } from "./server/call-scope.ts";
export { defineService, type GeneratedDefinition, type ServerService } from "./server/define-service.ts";
export type { Health } from "./server/health.ts";
export { REQUEST_ID_KEY } from "./server/identify.ts";
export type { NamesByMethod } from "./server/isolate.ts";
export { openOrClose } from "./server/open-or-close.ts";
export { assertStoreAnswers, createReadiness, type Readiness, type ReadinessCheck } from "./server/readiness.ts";
export { runService, type ServiceProgram } from "./server/run-service.ts";
export { type RunUntilSignalOptions, runUntilSignal, type StartedService } from "./server/run-until-signal.ts";
export type { ServerConfig } from "./server/server-config.ts";
export type { StopOptions, StopReport } from "./server/shutdown.ts";
export { type RunningServer, type ServerOptions, startServer } from "./server/start-server.ts";
export type { Validators } from "./server/validate.ts";
export { type CountLookup, createCacheMetrics } from "./telemetry/cache-metrics.ts";
export {
  createLogger,
  createSilentLogger,
  LOG_LEVELS,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from "./telemetry/logger.ts";
export { createServerMetrics, type ServerMetrics } from "./telemetry/metrics.ts";
export { observeEngine } from "./telemetry/observe-engine.ts";
export { observeStore } from "./telemetry/observe-store.ts";
export { createOperationMetrics, type OperationMetrics } from "./telemetry/operation-metrics.ts";
export { inOperationSpan } from "./telemetry/operation-span.ts";
export { codeOf, createStageCallMetrics } from "./telemetry/stage-call-metrics.ts";
export { createThinningReport, type ReportThinning } from "./telemetry/thinning-report.ts";
export { startTracing, type Tracing } from "./telemetry/tracing.ts";
