import type { Command } from "commander";
import type { CallerOptions } from "./client/caller.ts";
import type { Connection } from "./client/connect.ts";
import { describeError, EXIT_CODES, type ExitCode, exitCodeFromError } from "./exit-codes.ts";
import { createOutput, type Output } from "./output/output.ts";

/** The options that every command has. */
interface GlobalOptions extends CallerOptions {
  readonly json?: boolean;
  readonly gateway?: string;
  readonly project: string;
  readonly store?: string;
}

/** What a command works with. */
export interface CommandContext {
  readonly output: Output;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
  readonly project: string;
  /** `projects/{project}`. */
  readonly parent: string;
  /** Environment of the services, with what the command line overrides. */
  readonly env: NodeJS.ProcessEnv;
  /** Address of the gateway asked for, if any. */
  readonly gateway: string | undefined;
  /** The gateway, connected or started at the first call and closed when the command ends. */
  connect(): Promise<Connection>;
  /** The gateway if one runs, connected and closed as by `connect`; undefined: none does, and none is started. */
  connectRunning(): Promise<Connection | undefined>;
}

/**
 * Runs a command: gives it its context, ends what it opened, turns whatever it throws into one line and an exit code.
 * The first Ctrl-C fires the signal; the second one leaves at once.
 */
export async function runCommand(
  command: Command,
  work: (context: CommandContext) => Promise<ExitCode>,
): Promise<void> {
  const globals = command.optsWithGlobals<GlobalOptions>();
  const output = createOutput(globals.json === true);
  const interrupt = new AbortController();
  const release = onInterrupt(interrupt, output);
  const opened: { connection?: Promise<Connection>; running?: Promise<Connection | undefined> } = {};
  const env = { ...process.env, ...(globals.store === undefined ? {} : { PARFOCAL_STORE: globals.store }) };
  const gateway = globals.gateway ?? (process.env.PARFOCAL_GATEWAY || undefined);
  const caller = async () => {
    const { callerFromOptions } = await import("./client/caller.ts");
    return callerFromOptions(globals, process.env);
  };
  const connect = async () => {
    const { connectGateway } = await import("./client/connect.ts");
    return connectGateway({ gateway, env, caller: await caller() });
  };
  const connectRunning = async () => {
    const { connectRunning: connectTo } = await import("./client/connect.ts");
    return connectTo({ gateway, env, caller: await caller() });
  };
  try {
    process.exitCode = await work({
      output,
      signal: interrupt.signal,
      project: globals.project,
      parent: `projects/${globals.project}`,
      env,
      gateway,
      connect: () => (opened.connection ??= connect()),
      connectRunning: () => (opened.running ??= connectRunning()),
    });
  } catch (error) {
    process.exitCode = exitCodeFromError(error, interrupt.signal);
    reportError(output, error, interrupt.signal);
  } finally {
    for (const connecting of [opened.connection, opened.running]) {
      const connection = await connecting?.catch(() => undefined);
      await connection?.close(interrupt.signal.aborted);
    }
    release();
  }
}

/** One line for people, one record for programs. */
function reportError(output: Output, error: unknown, signal: AbortSignal): void {
  const { code, message } = signal.aborted ? { code: "CANCELLED", message: "interrupted" } : describeError(error);
  output.record({ error: { code, message } });
  output.note(`parfocal: ${code}: ${message}`);
  if (code === "INTERNAL" && process.env.PARFOCAL_LOG_LEVEL === "debug" && error instanceof Error) {
    output.note(error.stack ?? "");
  }
}

function onInterrupt(interrupt: AbortController, output: Output): () => void {
  const onSignal = () => {
    if (interrupt.signal.aborted) process.exit(EXIT_CODES.interrupted);
    output.note("\nparfocal: stopping; once more leaves at once");
    interrupt.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
