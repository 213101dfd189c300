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

/** Processor time that all processes of the machine have used, ms. NaN without `/proc`. */
export function machineCpuMs(): number {
  try {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return ((user + nice + system + irq + softirq) * 1000) / TICKS_PER_S;
  } catch {
    return Number.NaN;
  }
}

/** A process and those it started. */
export function withChildren(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return [pid, ...children.flatMap(withChildren)];
  } catch {
    return [pid];
  }
}

/** Samples the resident memory of a process and those it started until it is stopped. */
export function watchMemory(pid: number, everyMs = 20) {
  let [peakMib, own, others] = [0, 0, 0];
  const sample = () => {
    const [self = 0, ...rest] = withChildren(pid).map((each) => memoryMib(each, "VmRSS") || 0);
    const sum = rest.reduce((total, mib) => total + mib, self);
    if (sum > peakMib) [peakMib, own, others] = [sum, self, sum - self];
  };
  sample();
  const timer = setInterval(sample, everyMs);
  return {
    /** The most that all had at one moment, MiB, and of that what the process itself and the others had. */
    stop() {
      clearInterval(timer);
      return { peakMib, ownMib: own, othersMib: others };
    },
  };
}
