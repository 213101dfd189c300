/**
 * @file A Temporal development server of its own for a test file.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { connect, createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "@temporalio/client";

/** A server that runs. */
export interface TemporalServer {
  readonly address: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/**
 * Why tests with a Temporal server cannot run here; `undefined` when they can.
 *
 * @throws Error where they must run: with `CI=true` or `PARFOCAL_REQUIRE_TEMPORAL=1` a missing server is a failure.
 */
export function whyNoTemporal(): string | undefined {
  if (temporalCli() !== undefined) return undefined;
  const reason = "no Temporal development server (scripts/ci-temporal.sh builds one)";
  const { CI, PARFOCAL_REQUIRE_TEMPORAL: required } = process.env;
  if (CI === "true" || required === "1") throw new Error(`${reason}; this run requires one`);
  return reason;
}

/** The CLI: the one that is named, or the one that scripts/ci-temporal.sh left in the cache. */
function temporalCli(): string | undefined {
  const { PARFOCAL_TEST_TEMPORAL_CLI: named, PARFOCAL_CACHE: cache = join(homedir(), ".cache/parfocal") } = process.env;
  if (named !== undefined) return existsSync(named) ? named : undefined;
  return globSync(join(cache, "temporal/*/temporal")).at(-1);
}

/** What a test may choose of a server. */
export interface TemporalServerOptions {
  /** A file that outlives the server; in memory without. */
  readonly database?: string;
  /** Any free one without. */
  readonly port?: number;
  /** Settings of the server, by name. */
  readonly settings?: Readonly<Record<string, number>>;
}

/** Starts a server and waits until it answers. */
export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const port = options.port ?? (await freePort());
  const settings = Object.entries(options.settings ?? {});
  const more = [
    ...(options.database === undefined ? [] : ["--db-filename", options.database]),
    ...settings.flatMap(([name, value]) => ["--dynamic-config-value", `${name}=${value}`]),
  ];
  const flags = ["--headless", "--ip", "127.0.0.1", "--port", String(port), "--log-level", "error", ...more];
  const child = spawn(temporalCli() ?? "temporal", ["server", "start-dev", ...flags], { stdio: "ignore" });
  await untilListening(child, port);
  await untilServing(port);
  return {
    address: `127.0.0.1:${port}`,
    process: child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** The server listens before it has its namespace. */
async function untilServing(port: number): Promise<void> {
  const connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  for (;;) {
    try {
      await connection.workflowService.describeNamespace({ namespace: "default" });
      return await connection.close();
    } catch {
      await sleep(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the Temporal server ended with ${child.exitCode} at its start`);
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await sleep(50);
  }
}
