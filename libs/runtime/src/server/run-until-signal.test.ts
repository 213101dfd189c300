import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inferenceV2 } from "@parfocal/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { createStageClient } from "../client/create-stage-client.ts";

const script = fileURLToPath(new URL("../testing/signal-process.ts", import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that serves until a signal; its lines of output. */
async function startProcess() {
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string | undefined;
  const address = (await next())!;
  return { child, next, address };
}

describe("runUntilSignal", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "drains on %s, even one during the start, closes the rest and lets the process end",
    async (signal) => {
      const { child, next } = await startProcess();
      const exit = once(child, "exit");
      child.kill(signal);
      expect([await next(), await next()]).toEqual(["closed", "drained"]);
      expect(await exit).toEqual([0, null]);
    },
  );

  it("cuts the drain short at the second signal", async () => {
    const { child, next, address } = await startProcess();
    const client = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, address);
    const exit = once(child, "exit");
    // The handler waits for its signal; the drain would take an hour.
    const call = client.calls.modelReady({ name: "m" }).catch((error: { code: string }) => error.code);
    expect(await next()).toBe("handling");
    child.kill("SIGTERM");
    expect(await next()).toBe("draining");
    child.kill("SIGTERM");
    expect(await call).toBe("UNREACHABLE");
    expect([await next(), await next()]).toEqual(["closed", "aborted"]);
    expect(await exit).toEqual([0, null]);
    client.close();
  });
});
