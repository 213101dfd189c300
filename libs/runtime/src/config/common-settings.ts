import { LOG_LEVELS } from "../telemetry/logger.ts";
import type { ConfigOf } from "./parse-env.ts";
import { securitySettings } from "./security-settings.ts";
import {
  choiceSetting,
  flagSetting,
  integerSetting,
  optionalIntegerSetting,
  type Setting,
  textSetting,
} from "./setting.ts";
import { telemetrySettings } from "./telemetry-settings.ts";

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

/** Where the process listens, and for whom. */
const listening = {
  host: textSetting({
    env: "HOST",
    fallback: "127.0.0.1",
    pattern: /^(?:[a-z0-9.-]{1,253}|\[?[0-9a-f:.]{2,45}\]?)$/i,
    expected: "a host name or an address",
    reason: "Address to listen on; loopback, so that a first start opens nothing to the network.",
  }),
  allowRemote: flagSetting({
    env: "PARFOCAL_ALLOW_REMOTE",
    fallback: false,
    reason:
      "Whether other machines may call without encryption and without saying who they are; where the network sees to both.",
  }),
  metricsPort: optionalIntegerSetting({
    env: "PARFOCAL_METRICS_PORT",
    min: 0,
    max: 65_535,
    reason: "Port of `/metrics`, `/livez` and `/readyz` over HTTP; unset: none, 0: any free one.",
  }),
  metricsHost: textSetting({
    env: "PARFOCAL_METRICS_HOST",
    fallback: "127.0.0.1",
    pattern: /^[a-z0-9.:-]{1,253}$/i,
    expected: "a host name or an address",
    reason: "Address of the metrics port; loopback, because it answers everybody.",
  }),
  reflection: flagSetting({
    env: "PARFOCAL_REFLECTION",
    fallback: true,
    reason: "Whether grpcurl and its kin may ask which services there are; switch off where contracts are private.",
  }),
};

/** What one caller may take. */
const limits = {
  maxConcurrentPerMethod: integerSetting({
    env: "PARFOCAL_MAX_CONCURRENT_PER_METHOD",
    fallback: 64,
    min: 1,
    max: 100_000,
    unit: "calls",
    reason: "Calls of one method at a time; more are refused at once instead of waiting in memory.",
  }),
  maxReceiveBytes: integerSetting({
    env: "PARFOCAL_MAX_RECEIVE_BYTES",
    fallback: 4 * MIB,
    min: 1024,
    max: 256 * MIB,
    unit: "bytes",
    reason: "Largest message accepted; bags and models travel as references, so gRPC's usual limit is plenty.",
  }),
  maxSendBytes: integerSetting({
    env: "PARFOCAL_MAX_SEND_BYTES",
    fallback: 16 * MIB,
    min: 1024,
    max: 256 * MIB,
    unit: "bytes",
    reason: "Largest message sent; without a limit a mistake of ours would fill the caller's memory.",
  }),
  maxConcurrentStreams: integerSetting({
    env: "PARFOCAL_MAX_CONCURRENT_STREAMS",
    fallback: 1024,
    min: 1,
    max: 1_000_000,
    unit: "calls",
    reason: "Calls on one connection at a time, methods together.",
  }),
  maxSessionMemoryMb: integerSetting({
    env: "PARFOCAL_MAX_SESSION_MEMORY_MB",
    fallback: 64,
    min: 1,
    max: 4096,
    unit: "MB",
    reason: "Memory one HTTP/2 connection may hold; gRPC has no cap of its own, which one bad client could use.",
  }),
  defaultDeadlineMs: integerSetting({
    env: "PARFOCAL_DEFAULT_DEADLINE_MS",
    fallback: 60_000,
    min: 1,
    max: DAY_MS,
    unit: "ms",
    reason: "Deadline of a unary call whose caller set none: nothing here may wait forever.",
  }),
  maxDeadlineMs: integerSetting({
    env: "PARFOCAL_MAX_DEADLINE_MS",
    fallback: 3_600_000,
    min: 1,
    max: DAY_MS,
    unit: "ms",
    reason: "Longest deadline a unary call may ask for; what takes longer is an operation or a stream.",
  }),
};

/** How connections live and the process dies. */
const lifetime = {
  keepaliveTimeMs: integerSetting({
    env: "PARFOCAL_KEEPALIVE_TIME_MS",
    fallback: 60_000,
    min: 10_000,
    max: DAY_MS,
    unit: "ms",
    reason: "Silence after which a connection is pinged, so that half-open ones are noticed.",
  }),
  keepaliveTimeoutMs: integerSetting({
    env: "PARFOCAL_KEEPALIVE_TIMEOUT_MS",
    fallback: 20_000,
    min: 1000,
    max: DAY_MS,
    unit: "ms",
    reason: "Wait for the answer to a ping before the connection is given up.",
  }),
  maxConnectionAgeMs: integerSetting({
    env: "PARFOCAL_MAX_CONNECTION_AGE_MS",
    fallback: 1_800_000,
    min: 1000,
    max: 30 * DAY_MS,
    unit: "ms",
    reason: "Age at which a connection is asked to come again, so that new replicas get their share.",
  }),
  maxConnectionAgeGraceMs: integerSetting({
    env: "PARFOCAL_MAX_CONNECTION_AGE_GRACE_MS",
    fallback: DAY_MS,
    min: 1000,
    max: 30 * DAY_MS,
    unit: "ms",
    reason: "Time that calls on an aged connection have to end; a training stream may run for a day.",
  }),
  readinessMs: integerSetting({
    env: "PARFOCAL_READINESS_MS",
    fallback: 5000,
    min: 100,
    max: 3_600_000,
    unit: "ms",
    reason: "Pause between two looks at whether the store, the engine and the stages are there, which health tells.",
  }),
  lameDuckMs: integerSetting({
    env: "PARFOCAL_LAME_DUCK_MS",
    fallback: 0,
    min: 0,
    max: 300_000,
    unit: "ms",
    reason:
      "Time between saying NOT_SERVING and refusing calls; set it to the period of the probe that takes replicas out.",
  }),
  drainMs: integerSetting({
    env: "PARFOCAL_DRAIN_MS",
    fallback: 25_000,
    min: 0,
    max: DAY_MS,
    unit: "ms",
    reason: "Time that running calls have to end at shutdown; Kubernetes kills after 30 s.",
  }),
};

/** What the process works with. */
const work = {
  storeUri: {
    ...textSetting({
      env: "PARFOCAL_STORE",
      fallback: "file:.parfocal/store",
      pattern: /^(?:s3:\/\/[^/@\s]+(?:\/\S*)?|file:\S+)$/,
      expected: "s3://bucket/prefix or file:///folder",
      reason: "Root of the object store; a folder of the working directory, so that a first start needs nothing else.",
    }),
    // The name of a bucket is nobody's business but its owner's.
    show: (uri: string) => (uri.startsWith("s3:") ? "s3://…" : uri),
  } satisfies Setting<string>,
  device: textSetting({
    env: "PARFOCAL_DEVICE",
    fallback: "cpu",
    pattern: /^(?:cpu|cuda:\d{1,3}|webgpu|auto)$/,
    expected: "cpu, cuda:N, webgpu or auto",
    reason: "Where graphs run; a device asked for by name and missing stops the start.",
  }),
  threads: integerSetting({
    env: "PARFOCAL_THREADS",
    fallback: 0,
    min: 0,
    max: 1024,
    unit: "threads",
    reason: "Threads of the engine on the CPU; 0: one per core.",
  }),
  logLevel: choiceSetting({
    env: "PARFOCAL_LOG_LEVEL",
    choices: LOG_LEVELS,
    fallback: "info",
    reason: "Least severe events that are written; `debug` adds one line per call.",
  }),
};

/** The settings every service has. `defaultPort`: the port when `PORT` is unset. */
export function commonSettings(defaultPort: number) {
  return {
    port: integerSetting({
      env: "PORT",
      fallback: defaultPort,
      min: 0,
      max: 65_535,
      reason: "Port to listen on, by the name that serverless platforms set; 0: any free one.",
    }),
    ...listening,
    ...securitySettings,
    ...limits,
    ...lifetime,
    ...work,
    ...telemetrySettings,
  };
}

/** The values of {@link commonSettings}. */
export type CommonConfig = ConfigOf<ReturnType<typeof commonSettings>>;
