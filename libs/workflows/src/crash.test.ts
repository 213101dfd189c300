import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterAll, describe, expect, it } from "vitest";
import { CRASH_REQUEST, CRASH_STEPS, createCrashWorkflow } from "./testing/crash-worker.ts";
import { openTestDriver, untilDone } from "./testing/test-driver.ts";

const ROUNDS = 25;
const root = mkdtempSync(join(tmpdir(), "parfocal-crash-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Runs a gateway in a process of its own and kills it `afterMs` after it told of its `nEvents`th event. */
async function runAndKill(folder: string, who: string, nEvents: number, afterMs: number): Promise<void> {
  const worker = new URL("./testing/crash-worker.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [worker, folder, who], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let nSeen = 0;
  for await (const _ of createInterface({ input: child.stdout })) if (++nSeen === nEvents) break;
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill("SIGKILL");
  await exited;
}

/** The steps whose results are in the journal on disk. */
function finishedSteps(folder: string): string[] {
  const operations = join(folder, "store/operations/p");
  if (!existsSync(operations)) return [];
  const files = readdirSync(operations, { recursive: true, encoding: "utf8" });
  return files.flatMap((file) => /\d{6}s-(\w)\.[0-9a-f]{16}\.json$/.exec(file)?.[1] ?? []);
}

function bodiesRun(folder: string): string[] {
  const log = join(folder, "bodies.log");
  return existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
}

/** Counts the writes that publish an outcome. */
function countOutcomes(store: ObjectStore): { readonly store: ObjectStore; count(): number } {
  let n = 0;
  const put: ObjectStore["put"] = (key, body, options) => {
    if (body instanceof Uint8Array && new TextDecoder().decode(body).includes('"kind":"succeeded","response"')) n++;
    return store.put(key, body, options);
  };
  return { store: { ...store, put }, count: () => n };
}

/** The lines that `who` should have left: a body for each step that was not in the journal when it began, in order. */
function bodiesExpected(who: string, finished: readonly string[]): string[] {
  return CRASH_STEPS.filter((name) => !finished.includes(name)).map((name) => `${who} ${name}`);
}

describe("a gateway killed with kill -9", () => {
  it(`loses nothing and repeats no finished step, in ${ROUNDS} runs killed once or twice`, {
    timeout: 300_000,
  }, async () => {
    const nFinishedAtKill: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const folder = join(root, String(round));
      mkdirSync(join(folder, "store"), { recursive: true });
      // Event 1 is the ready driver, event 1 + n the start of step n; the pause walks through the step and its commit.
      await runAndKill(folder, "first", 1 + (round % 7), (round % 4) * 2);
      const finishedFirst = finishedSteps(folder);
      nFinishedAtKill.push(finishedFirst.length);
      if (round % 3 === 0 && finishedFirst.length < 5) {
        await runAndKill(folder, "second", 2, round % 5);
        const ran = bodiesRun(folder).filter((line) => line.startsWith("second"));
        expect(bodiesExpected("second", finishedFirst).slice(0, ran.length)).toEqual(ran);
      }
      const finished = finishedSteps(folder);

      const outcomes = countOutcomes(openStore(`file://${join(folder, "store")}`));
      const registry = { crash: createCrashWorkflow(folder, "heir", () => undefined) };
      const driver = await openTestDriver(registry, { store: outcomes.store });
      const before = await driver.start(CRASH_REQUEST);
      const done = await untilDone(driver, before.name);
      await driver.close();

      const values = CRASH_STEPS.reduce<number[]>((all) => [...all, (all.at(-1) ?? CRASH_REQUEST.input) * 3 + 1], []);
      expect(done.outcome).toEqual({ kind: "succeeded", response: values.at(-1) });
      expect(CRASH_STEPS.map((name) => Number(readFileSync(join(folder, `effect-${name}`), "utf8")))).toEqual(values);
      expect(outcomes.count()).toBe(before.outcome.kind === "running" ? 1 : 0);
      const rerun = bodiesRun(folder).filter((line) => line.startsWith("heir"));
      expect(rerun).toEqual(bodiesExpected("heir", finished));
    }
    // The kills must have hit the run all along, not only its ends.
    expect(new Set(nFinishedAtKill).size).toBeGreaterThanOrEqual(5);
  });
});
