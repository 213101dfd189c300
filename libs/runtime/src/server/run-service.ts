import { isDomainError } from "@parfocal/errors";
import { type ConfigOf, describeConfig, parseEnv, type Settings } from "../config/parse-env.ts";
import { createLogger, type Logger, type LogLevel } from "../telemetry/logger.ts";
import { startTracing, type TracingOptions } from "../telemetry/tracing.ts";
import { runUntilSignal, type StartedService } from "./run-until-signal.ts";

/** Time that a process which cannot run has to end by itself. */
const LEFT_OPEN_MS = 2000;

/** A service as its `main.ts` gives it. */
export interface ServiceProgram<S extends Settings> {
  /** Name of the service, on every line of the log. */
  readonly name: string;
  readonly settings: S;
  readonly start: (config: ConfigOf<S>, logger: Logger) => Promise<StartedService>;
}

/**
 * The whole life of a service's process: reads the environment, prints the settings redacted, starts, serves until a
 * signal. What keeps it from starting is one line of the log and exit status 1; only what nobody foresaw has a stack.
 */
export async function runService<S extends Settings>({ name, settings, start }: ServiceProgram<S>): Promise<void> {
  let logger = createLogger({ service: name });
  try {
    const config = parseEnv(settings, process.env);
    logger = createLogger({ service: name, level: levelOf(config) });
    for (const { env, value } of describeConfig(settings, config)) logger.info("setting", { setting: env, value });
    const tracing = await startTracing(name, tracingOf(config));
    await runUntilSignal({ start: () => start(config, logger), logger });
    await tracing.close();
  } catch (error) {
    if (isDomainError(error)) logger.error(`cannot run: ${error.message}`, { code: error.code });
    else logger.error("cannot run", { error });
    process.exitCode = 1;
    // What a start that failed half-way left open must not keep a process that does not serve.
    setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
  }
}

function levelOf(config: Readonly<Record<string, unknown>>): LogLevel {
  return (config.logLevel as LogLevel | undefined) ?? "info";
}

function tracingOf(config: Readonly<Record<string, unknown>>): TracingOptions {
  const { otlpEndpoint = "", traceRatio = 1 } = config as Partial<TracingOptions>;
  return { otlpEndpoint, traceRatio };
}
