import { appendFile } from "node:fs/promises";
import { DomainError } from "@parfocal/errors";
import type { Logger } from "../telemetry/logger.ts";

/** What is kept of a call: who did what to which project, and how it ended. Never what a request or an answer holds. */
export interface AuditRecord {
  /** When the call ended, ISO 8601. */
  readonly time: string;
  readonly service: string;
  readonly method: string;
  readonly requestId?: string | undefined;
  /** How the caller was known and under which name; absent when nobody knows. */
  readonly principalKind?: string | undefined;
  readonly principal?: string | undefined;
  /** Address of the caller, without the port. */
  readonly host: string;
  /** Id of the first project that the request named. */
  readonly project?: string | undefined;
  /** Name of the operation that was named or begun. */
  readonly operation?: string | undefined;
  /** Name of the gRPC status; `UNREAD` for a call that gRPC answered because it could not read it. */
  readonly code: string;
  readonly durationMs: number;
}

/** What happens to calls while records cannot be written: they go on without, or there are none. */
export const AUDIT_FAILURE_POLICIES = ["refuse", "continue"] as const;

/** Keeps records of calls. */
export interface AuditLog {
  /** Keeps a record. Never waits and never throws. */
  record(record: AuditRecord): void;
  /** @throws {DomainError} `UNREACHABLE` while records cannot be written and the policy is to refuse. */
  assertWritable(): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

/** Options of {@link createAuditLog}. */
export interface AuditLogOptions {
  /** File that lines are appended to. It is opened for every write, so it may be moved away at any time. */
  readonly path: string;
  readonly onFailure: (typeof AUDIT_FAILURE_POLICIES)[number];
  readonly logger: Logger;
}

/** Records that wait while they cannot be written; beyond that the oldest are lost, which the log says. */
const MAX_WAITING = 10_000;

/** Pause between two tries to write, ms. */
const RETRY_MS = 1000;

/**
 * One line of JSON per call in a file. Lines are written in the order in which calls ended, soon after they did; a process
 * that is killed loses those of its last moment. What cannot be written waits and is tried again every second.
 */
export function createAuditLog({ path, onFailure, logger }: AuditLogOptions): AuditLog {
  let waiting: string[] = [];
  let isBroken = false;
  let writing: Promise<void> | undefined;
  let nLost = 0;

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      try {
        await appendFile(path, lines.join(""), { mode: 0o600 });
        if (isBroken) logger.warn("audit records are written again", { count: nLost });
        isBroken = false;
        nLost = 0;
      } catch (error) {
        waiting = [...lines, ...waiting];
        if (!isBroken) logger.error("audit records cannot be written", { error });
        isBroken = true;
        return;
      }
    }
  }
  function start(): void {
    writing ??= write().finally(() => {
      writing = undefined;
    });
  }
  const timer = setInterval(() => {
    if (waiting.length > 0) start();
  }, RETRY_MS);
  timer.unref();

  return {
    record(record) {
      waiting.push(`${JSON.stringify(record)}\n`);
      if (waiting.length > MAX_WAITING) {
        waiting.shift();
        nLost += 1;
      }
      if (!isBroken) start();
    },
    assertWritable() {
      if (!isBroken || onFailure === "continue") return;
      throw new DomainError("UNREACHABLE", "calls are refused while their audit records cannot be written");
    },
    async close() {
      clearInterval(timer);
      await writing;
      start();
      await writing;
    },
  };
}
