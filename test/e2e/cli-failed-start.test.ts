/** @file Services that cannot start end their command, with the exit code that says so. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startCli } from "../lib/run-cli.ts";

/** The services start within a few seconds, and what cannot start ends two seconds later at most. */
const TIMEOUT_MS = 30_000;

let folder: string;
let taken: Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-start-"));
  taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
});
afterAll(async () => {
  taken.close();
  await rm(folder, { recursive: true, force: true });
});

const UP = ["up", "--port", "0", "--store", "file:own"];
const NO_FILE = "/nonexistent";

it.each([
  ["a taken port", ["up", "--port", "taken"], {}, "UNREACHABLE"],
  [
    "a certificate that is not there",
    UP,
    { PARFOCAL_TLS_CERT: NO_FILE, PARFOCAL_TLS_KEY: NO_FILE },
    "INVALID_ARGUMENT",
  ],
  ["a door for everybody", UP, { HOST: "0.0.0.0" }, "PRECONDITION_FAILED"],
  ["a policy for nobody", ["bags", "list", "--store", "file:own"], { PARFOCAL_POLICY: NO_FILE }, "INVALID_ARGUMENT"],
] as [string, string[], Record<string, string>, string][])(
  "exits 3 by itself for %s, and says why and nothing else",
  async (_, args, settings, code) => {
    const { port } = taken.address() as { readonly port: number };
    const words = args.map((word) => (word === "taken" ? String(port) : word));
    const run = startCli([...words, "--json"], folder, settings);
    const timer = setTimeout(() => run.process.kill("SIGKILL"), TIMEOUT_MS);
    const result = await run.result();
    clearTimeout(timer);
    expect([result.code, result.records]).toMatchObject([3, [{ error: { code } }]]);
    expect(result.stderr).not.toContain('"level"');
  },
  2 * TIMEOUT_MS,
);
