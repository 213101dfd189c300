import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("ends a process whose start failed, whatever it left open", async () => {
  const script = fileURLToPath(new URL("../testing/failing-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const output = child.stdout.toArray();
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(Buffer.concat((await output) as Buffer[]).toString()).toContain('"event":"cannot run: nobody answered"');
});
