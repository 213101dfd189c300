/** @file Tells by the name of something temporary whether its maker still lives. */
import { readFileSync, readlinkSync } from "node:fs";

/** Names this process: process space, process id and when it started, joined by `-`. */
export function ownProcessMark(): string {
  return `${processSpace()}-${process.pid}-${startOf(process.pid) ?? 0}`;
}

/** What can be said of the process of a mark, whatever follows it behind a `-`: of other machines and containers, and of what is no mark, nothing. */
export function judgeProcessMark(mark: string): "alive" | "dead" | "unknown" {
  const [space, pid, start] = mark.split("-");
  if (space !== processSpace() || start === undefined) return "unknown";
  return String(startOf(Number(pid))) === start ? "alive" : "dead";
}

/** Names the set of processes in which process ids mean the same: one boot and one namespace. */
function processSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
    return `${boot}.${readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "")}`;
  } catch {
    return "local";
  }
}

/** When a process started, in clock ticks since boot; `undefined` when there is no such process. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets and may hold anything: count from the last bracket. Field 22.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return isRunning(pid) ? 0 : undefined;
  }
}

/** Where there is no /proc: whether the id is taken. One of another user's processes is as well. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
