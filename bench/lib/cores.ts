import { spawnSync } from "node:child_process";

/**
 * Keeps processes, and what they start from now on, to `cores` (numbers from 0, commas between).
 *
 * @throws When it cannot: `taskset` is not installed, the machine has no such core, or a process runs no more.
 */
export function keepToCores(cores: string, pids: readonly number[]): void {
  for (const pid of pids) {
    // taskset would take 0 for itself and say that all is well.
    if (pid <= 0) throw new Error("a process that is to be kept to cores has not started");
    const { status, stderr } = spawnSync("taskset", ["-a", "-p", "-c", cores, String(pid)], { encoding: "utf8" });
    if (status !== 0) throw new Error(`taskset cannot keep processes to cores ${cores}: ${stderr || "not installed"}`);
  }
}
