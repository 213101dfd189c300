import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";

/** One line: cores, processor, Node and the load that others put on the machine at this moment. */
export function describeMachine(): string {
  const load = loadavg()[0]?.toFixed(1);
  return `${availableParallelism()} cores, ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, load ${load}`;
}

/** A figure of memory of a process, MiB: `VmHWM` is the most it ever had, `VmRSS` what it has. NaN without `/proc`. */
export function memoryMib(pid: number | "self" | undefined, field: "VmHWM" | "VmRSS"): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** Clock ticks of `/proc` in a second: a constant of Linux's interface. */
const TICKS_PER_S = 100;

/** Processor time that a process has used in all its threads, ms. NaN without `/proc`. */
export function cpuMs(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S;
  } catch {
    return Number.NaN;
  }
}
