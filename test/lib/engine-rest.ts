import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** An engine that takes less than a hundredth of a second of a core in this time rests, ms. */
export const REST_MS = 300;

/** Waits until no engine process of this one computes. */
export async function untilEnginesRest(): Promise<void> {
  for (let before = engineTicks(); ; ) {
    await sleep(REST_MS);
    const now = engineTicks();
    if (now - before <= 1) return;
    before = now;
  }
}

/** Processor time of the engines that this process started, in ticks of 10 ms. */
export function engineTicks(): number {
  return readdirSync(`/proc/${process.pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(/\s+/u))
    .filter((pid) => pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("libs/engine/src/child"))
    .reduce((sum, pid) => sum + ticksOf(pid), 0);
}

/** Fields 14 and 15 of /proc/{pid}/stat, time in user and system mode; the command name before may hold spaces. */
function ticksOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
