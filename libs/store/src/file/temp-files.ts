import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { OWN_FOLDER } from "./key-path.ts";

/** Where a temporary file's maker cannot be asked (another container or machine), it is given this long. */
const FOREIGN_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** The folder of unfinished objects, under the root: same file system, so that publishing is one rename. */
export function tempFolderOf(root: string): string {
  return join(root, OWN_FOLDER, "tmp");
}

/** A new name for a temporary file. It names its maker: process space, process id and when that process started. */
export function createTempName(): string {
  return `${processSpace()}-${process.pid}-${startOf(process.pid) ?? 0}-${randomBytes(8).toString("hex")}`;
}

/**
 * Removes what dead processes left: files whose maker is gone or whose process id belongs to a younger process now, and
 * files of other process spaces after a day. Never fails: a folder that cannot be cleaned can still be read.
 */
export function cleanTempFiles(root: string): void {
  const folder = tempFolderOf(root);
  try {
    for (const name of readdirSync(folder)) {
      if (isLeftOver(join(folder, name), name)) rmSync(join(folder, name), { force: true });
    }
  } catch {
    // No folder, or not ours to clean.
  }
}

function isLeftOver(path: string, name: string): boolean {
  const [space, pid, start] = name.split("-");
  if (space !== processSpace()) return Date.now() - statSync(path).mtimeMs > FOREIGN_MAX_AGE_MS;
  return String(startOf(Number(pid)) ?? "dead") !== start;
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

/** Where there is no /proc: whether the id is taken. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
