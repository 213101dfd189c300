import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Json } from "./workflow.ts";

/** Enough of a process to tell later, on the same machine, whether it still lives. Empty where the system does not say. */
export type ProcessIdentity = {
  readonly host: string;
  readonly pid: number;
  /** Changes with every boot. */
  readonly bootId: string;
  /** Two containers of one machine share the boot id but not this. */
  readonly pidNamespace: string;
  /** Start of the process in clock ticks since boot: tells a reused pid from the process itself. */
  readonly startTicks: string;
};

/** The identity of this process. */
export function currentProcessIdentity(): ProcessIdentity {
  return {
    host: hostname(),
    pid: process.pid,
    bootId: readOr("", () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    pidNamespace: readOr("", () => readlinkSync("/proc/self/ns/pid")),
    startTicks: startTicks("self"),
  };
}

/**
 * Whether the process that `other` describes is certainly dead, alive, or not to be judged from here (another machine,
 * another container, a system without /proc).
 */
export function judgeProcess(other: ProcessIdentity): "alive" | "dead" | "unknown" {
  const here = currentProcessIdentity();
  if (here.bootId === "" || here.pidNamespace === "" || other.host !== here.host) return "unknown";
  // The same host name with another boot id may be a reboot or a namesake: only expiry can tell.
  if (other.bootId !== here.bootId || other.pidNamespace !== here.pidNamespace) return "unknown";
  if (other.startTicks === "") return "unknown";
  return startTicks(String(other.pid)) === other.startTicks ? "alive" : "dead";
}

/** @returns undefined when `value` is no process identity. */
export function parseProcessIdentity(value: Json | undefined): ProcessIdentity | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { host, pid, bootId, pidNamespace, startTicks } = value as Record<string, Json>;
  if (typeof host !== "string" || typeof pid !== "number" || typeof bootId !== "string") return undefined;
  if (typeof pidNamespace !== "string" || typeof startTicks !== "string") return undefined;
  return { host, pid, bootId, pidNamespace, startTicks };
}

/** Field 22 of /proc/{pid}/stat; the command name before it may hold spaces and brackets. A zombie counts as gone. */
function startTicks(pid: string): string {
  const stat = readOr("", () => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "" : (fields[19] ?? "");
}

function readOr(fallback: string, read: () => string): string {
  try {
    return read();
  } catch {
    return fallback; // Not Linux, or no such process: both mean "nothing is known".
  }
}
