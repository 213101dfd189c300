import { type DestinationStream, pino } from "pino";
import { currentOperation } from "./operation-context.ts";

/** Levels of events, most severe first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * The only fields that a log line may carry. Bodies, names of resources and identifiers of patients, slides and buckets
 * have none, so they cannot slip in: an unknown field is a compile error, and at run time it is dropped.
 */
export interface LogFields {
  /** gRPC method as `package.Service/Method`. */
  readonly method?: string;
  /** Status name of a call, or the code of an error. */
  readonly code?: string;
  readonly requestId?: string;
  /** Id of the operation that the work belongs to. */
  readonly operation?: string;
  /** Kind of the operation: `train`. */
  readonly verb?: string;
  readonly traceId?: string;
  readonly incidentId?: string;
  readonly durationMs?: number;
  /** Kind of principal, never its name: `loopback`, `jwt`, `mtls`. */
  readonly principalKind?: string;
  readonly host?: string;
  readonly port?: number;
  readonly signal?: string;
  readonly device?: string;
  readonly count?: number;
  readonly bytes?: number;
  /** An environment variable and its redacted value. */
  readonly setting?: string;
  readonly value?: string;
  /** What was thrown: name, message and stack, for people who look after the process. */
  readonly error?: unknown;
}

/** Structured log: one event per line, fixed text in `event`, facts in `fields`. */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** Name of the service, on every line. */
  readonly service: string;
  readonly level?: LogLevel;
  /** Where lines go; standard output when absent. */
  readonly destination?: DestinationStream;
}

const fieldNames: Record<keyof LogFields, true> = {
  method: true,
  code: true,
  requestId: true,
  operation: true,
  verb: true,
  traceId: true,
  incidentId: true,
  durationMs: true,
  principalKind: true,
  host: true,
  port: true,
  signal: true,
  device: true,
  count: true,
  bytes: true,
  setting: true,
  value: true,
  error: true,
};

/** Longest stack that is written: enough for the way from the throw to the handler. */
const MAX_STACK_LENGTH = 4000;

function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error).slice(0, MAX_STACK_LENGTH) };
  const cause = error.cause === undefined ? {} : { cause: describeCause(error.cause) };
  return { name: error.name, message: error.message, stack: error.stack?.slice(0, MAX_STACK_LENGTH), ...cause };
}

function describeCause(cause: unknown): string {
  // The system's own text names the file, and so perhaps a slide.
  if (cause instanceof Error && "syscall" in cause && "code" in cause && "path" in cause)
    return `${cause.name}: ${String(cause.code)} (${String(cause.syscall)})`;
  return (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)).slice(0, MAX_STACK_LENGTH);
}

function allowed(fields: LogFields): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (Object.hasOwn(fieldNames, name)) line[name] = name === "error" ? describeError(value) : value;
  }
  return line;
}

/** The log of one process: JSON lines with time, level, service, event and the fields of {@link LogFields}. */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level ?? "info",
    base: { service: options.service },
    messageKey: "event",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const sink = options.destination === undefined ? pino(settings) : pino(settings, options.destination);
  const wrap = (inherited: Record<string, unknown>): Logger => {
    const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
      if (!sink.isLevelEnabled(level)) return;
      const operation = currentOperation();
      const own = operation === undefined ? inherited : { ...inherited, operation };
      sink[level](fields ? { ...own, ...allowed(fields) } : own, event);
    };
    return {
      error: at("error"),
      warn: at("warn"),
      info: at("info"),
      debug: at("debug"),
      with: (fields) => wrap({ ...inherited, ...allowed(fields) }),
    };
  };
  return wrap({});
}

/** A logger that writes nothing, for tests and tools that speak to people themselves. */
export function createSilentLogger(): Logger {
  const logger: Logger = { error() {}, warn() {}, info() {}, debug() {}, with: () => logger };
  return logger;
}
