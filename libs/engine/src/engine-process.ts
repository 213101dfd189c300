import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { DomainError } from "@parfocal/errors";
import type { ChildOptions } from "./engine-options.ts";
import { errorFromExit, readOutOfMemoryKills } from "./exit-error.ts";
import { type ChildReply, errorFromWire, type ParentMessage, type RunWork, type Work } from "./wire.ts";

/** The answer to a piece of work. */
export type WorkReply = Extract<ChildReply, { kind: "done" | "failed" }>;

/** One engine process. It is used for one piece of work at a time. */
export interface EngineProcess {
  readonly pid: number | undefined;
  /** The device it runs on, once it is ready. @throws {DomainError} DEVICE_MISSING, ENGINE_CRASHED */
  readonly ready: Promise<string>;
  /** Fires once, when the process has ended. */
  readonly ended: Promise<void>;
  readonly isAlive: boolean;
  /**
   * Hands work over, with what will follow it as far as that is known.
   *
   * @throws {DomainError} the reason given to `kill`, else ENGINE_CRASHED or OUT_OF_MEMORY
   */
  perform(work: Work, next?: RunWork): Promise<WorkReply>;
  /** Says what will follow the work in the process, whose inputs it may then read meanwhile; `undefined`: no longer known. */
  expect(next: RunWork | undefined): void;
  /** Asks the work in the process to stop between two runs. */
  cancel(): void;
  /** Ends the process at once; work in it fails with `reason`. */
  kill(reason: DomainError): void;
  /** Lets the process end by itself: nothing is in it. */
  leave(): void;
}

const ENTRY = fileURLToPath(new URL("./child/main.ts", import.meta.url));
const STDERR_TAIL = 4000;

/** How long the standard error of a process that ended is read on. */
const LAST_WORDS_MS = 200;

interface Waiter {
  resolve(reply: WorkReply): void;
  reject(error: DomainError): void;
}

/** Starts an engine process. */
export function createEngineProcess(options: ChildOptions, startTimeoutMs: number): EngineProcess {
  const killsBefore = readOutOfMemoryKills();
  const child = forkEntry();
  const tail = keepTail(child);
  const ready = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  let waiter: Waiter | undefined;
  let killReason: DomainError | undefined;
  let isAlive = true;
  let lastId = 0;
  let announced: RunWork | undefined;

  function send(message: ParentMessage): void {
    // Failing to send means that the process is gone, which its end reports.
    if (child.connected) child.send(message, () => undefined);
  }
  function kill(reason: DomainError): void {
    killReason ??= reason;
    child.kill("SIGKILL");
  }
  function end(code: number | null, signal: NodeJS.Signals | null): void {
    if (!isAlive) return;
    isAlive = false;
    clearTimeout(startTimer);
    const killsAfter = readOutOfMemoryKills();
    const sawOutOfMemoryKill =
      killsBefore === undefined || killsAfter === undefined ? undefined : killsAfter > killsBefore;
    const error = killReason ?? errorFromExit({ code, signal, stderrTail: tail(), sawOutOfMemoryKill });
    ready.reject(error);
    waiter?.reject(error);
    waiter = undefined;
    ended.resolve();
  }
  function receive(reply: ChildReply): void {
    if (reply.kind === "ready") ready.resolve(reply.device);
    else if (reply.kind === "startFailed") ready.reject(errorFromWire(reply.error));
    else if (reply.id === lastId) {
      waiter?.resolve(reply);
      waiter = undefined;
    }
    if (reply.kind === "ready" || reply.kind === "startFailed") clearTimeout(startTimer);
  }

  const startTimer = setTimeout(() => {
    kill(new DomainError("ENGINE_CRASHED", `the engine process was not ready within ${startTimeoutMs} ms`));
  }, startTimeoutMs);
  child.on("message", (message) => receive(message as ChildReply));
  // The exit may be known before the last words are read. (The `close` event would wait for them, but it never comes
  // after a disconnect from this side.) A failed fork gives `error` alone.
  child.once("exit", (code, signal) => {
    if (child.stderr === null || child.stderr.closed || killReason !== undefined) return end(code, signal);
    child.stderr.once("close", () => end(code, signal));
    setTimeout(() => end(code, signal), LAST_WORDS_MS).unref();
  });
  child.once("error", () => end(null, null));
  send({ kind: "start", options });

  return {
    pid: child.pid,
    ready: ready.promise,
    ended: ended.promise,
    get isAlive() {
      return isAlive && killReason === undefined;
    },
    perform(work, next) {
      if (!isAlive || killReason !== undefined)
        return Promise.reject(killReason ?? new DomainError("ENGINE_CRASHED", "the engine process is gone"));
      return new Promise((resolve, reject) => {
        waiter = { resolve, reject };
        lastId += 1;
        send({ kind: "work", id: lastId, ...(work !== announced && { work }), ...(next && { next }) });
        announced = next;
      });
    },
    expect(next) {
      if (next === announced) return;
      announced = next;
      send({ kind: "next", ...(next && { work: next }) });
    },
    cancel: () => send({ kind: "cancel", id: lastId }),
    kill,
    leave: () => {
      if (child.connected) child.disconnect();
    },
  };
}

/** What libraries under the runtime read when the process starts. */
const RUNTIME_ENVIRONMENT = {
  // TensorFloat-32 keeps 10 bits of a factor's mantissa: CUDA's libraries must not use it where a graph says f32.
  NVIDIA_TF32_OVERRIDE: "0",
  // From 1.29 the runtime keeps a device id and a database of what it ran in the home folder, to send them to its makers.
  ORT_DISABLE_TELEMETRY: "1",
  // Matrices of many MB lie on pages of 2 MB where the system lends them on request: fewer faults and misses of the page tables.
  GLIBC_TUNABLES: [process.env.GLIBC_TUNABLES, "glibc.malloc.hugetlb=1"].filter(Boolean).join(":"),
};

function forkEntry(): ChildProcess {
  return fork(ENTRY, [], {
    serialization: "advanced",
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, ...RUNTIME_ENVIRONMENT },
  });
}

/** Gives the last characters that the process wrote to its standard error. */
function keepTail(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-STDERR_TAIL);
  });
  return () => text.trim();
}
