import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "@parfocal/store";
import { createEmbeddedDriver } from "../embedded-driver.ts";
import type { Json, Workflow } from "../workflow.ts";

/** Steps of {@link createCrashWorkflow}. */
export const CRASH_STEPS = ["a", "b", "c", "d", "e", "f"] as const;

/** Six steps, each of which leaves a file and a line for each run of its body in `folder`; `tell` hears of each run. */
export function createCrashWorkflow(
  folder: string,
  who: string,
  tell: (event: string) => void,
): Workflow<number, Json> {
  return async ({ step }, seed) => {
    let value = seed;
    for (const name of CRASH_STEPS) {
      const before = value;
      value = await step(name, async ({ report }) => {
        appendFileSync(join(folder, "bodies.log"), `${who} ${name}\n`);
        tell(name);
        report({ phase: name });
        await new Promise((resolve) => setTimeout(resolve, 4));
        writeFileSync(join(folder, `effect-${name}`), String(before * 3 + 1));
        return before * 3 + 1;
      });
    }
    return value;
  };
}

/** What a driver of the crash test runs with. */
export const CRASH_REQUEST = { project: "p", kind: "crash", input: 7, requestId: "crash" } as const;

/** Starts the workflow in `folder` and lives until it is killed. */
async function main(folder: string, who: string): Promise<void> {
  const tell = (event: string): void => void process.stdout.write(`${event}\n`);
  const store = openStore(`file://${join(folder, "store")}`);
  const registry = { crash: createCrashWorkflow(folder, who, tell) };
  const driver = await createEmbeddedDriver({ store, registry, progressIntervalMs: 3 });
  tell("ready");
  await driver.start(CRASH_REQUEST);
}

const [, script, folder, who] = process.argv;
if (script === import.meta.filename && folder !== undefined && who !== undefined) await main(folder, who);
