/** @file Runs the command line as its users do: a process of its own, with its streams and its exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../cli/bin/parfocal.mjs", import.meta.url));

/** What a run ended with. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of standard output as JSON. */
  readonly records: readonly Record<string, unknown>[];
}

/** A run that goes on. */
export interface CliRun {
  readonly process: ChildProcess;
  /** Waits until standard output or standard error matches; gives the match. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits for the end. */
  result(): Promise<CliResult>;
}

/** Starts `parfocal …args` in `cwd` with `settings`, without the caller's. */
export function startCli(
  args: readonly string[],
  cwd: string,
  settings: Readonly<Record<string, string>> = {},
): CliRun {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PARFOCAL_THREADS: "1", ...settings };
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  const closed = once(child, "close") as Promise<[number | null]>;
  return {
    process: child,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(text.stdout) ?? pattern.exec(text.stderr);
          if (found !== null) resolve(found);
        };
        child.stdout.on("data", look);
        child.stderr.on("data", look);
        child.once("close", () => reject(new Error(`it ended without ${pattern}:\n${text.stdout}${text.stderr}`)));
        look();
      }),
    async result() {
      const [code] = await closed;
      const lines = text.stdout.split("\n").filter((line) => line.startsWith("{"));
      return { code, ...text, records: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
    },
  };
}

/** Runs `parfocal …args` to its end. */
export function runCli(args: readonly string[], cwd: string): Promise<CliResult> {
  return startCli(args, cwd).result();
}
