import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isDomainError } from "@parfocal/errors";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseCount, parseVersion } from "./store-crash-body.ts";

const N_ROUNDS = 20;
const WRITERS = ["left", "right"];

/** What a writer said of one key before it was killed. */
interface KeyLog {
  begun: number;
  ended: number;
  /** Since the last end, the key may be missing: a deletion had begun. */
  isDeleting: boolean;
}

interface Log {
  readonly keys: Map<string, KeyLog>;
  nCounted: number;
  nKilled: number;
  version: number;
}

let folder: string;
let root: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-crash-"));
  root = join(folder, "root");
  store = openStore(pathToFileURL(root).href);
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

it("leaves the old object or the new one when writers are killed at any moment, 40 times", async () => {
  await store.put("counter", Buffer.from("0"));
  const log: Log = { keys: new Map(), nCounted: 0, nKilled: 0, version: 0 };
  for (let round = 0; round < N_ROUNDS; round += 1) {
    // Spread over the time that some writes take; what matters is that no moment is special.
    await Promise.all(WRITERS.map((writer, index) => runAndKill(log, writer, 20 + ((round * 37 + index * 61) % 180))));
    await checkKeys(log);
  }
  const count = parseCount((await store.get("counter")).bytes);
  expect(log.nKilled).toBe(N_ROUNDS * WRITERS.length);
  expect(log.nCounted).toBeGreaterThan(0);
  expect(count).toBeGreaterThanOrEqual(log.nCounted);
  // A kill between an increment and its report is an increment unheard of: at most one for each kill.
  expect(count).toBeLessThanOrEqual(log.nCounted + log.nKilled);
  await checkNothingIsLeft(log);
});

async function runAndKill(log: Log, writer: string, afterMs: number): Promise<void> {
  const script = fileURLToPath(new URL("./store-crash-writer.ts", import.meta.url));
  const args = [script, pathToFileURL(root).href, writer, String(log.version)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  try {
    await readLines(log, child, afterMs);
  } finally {
    child.kill("SIGKILL");
  }
  const [, signal] = (await exit) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  log.nKilled += 1;
}

async function readLines(log: Log, child: ChildProcess, afterMs: number): Promise<void> {
  if (child.stdout === null) throw new Error("the writer has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    const [word = "", key = "", version = ""] = line.split(" ");
    // The clock begins when the writer does; the loop goes on until the pipe is empty.
    if (word === "ready") void sleep(afterMs).then(() => child.kill("SIGKILL"));
    if (word === "counted") log.nCounted += 1;
    if (key !== "") noteKey(log, word, key, Number(version));
  }
}

function noteKey(log: Log, word: string, key: string, version: number): void {
  const known = log.keys.get(key) ?? { begun: -1, ended: -1, isDeleting: true };
  if (word === "begin") {
    known.begun = version;
    known.isDeleting ||= version % 12 >= 8;
  }
  if (word === "end") {
    known.ended = version;
    known.isDeleting = false;
  }
  log.version = Math.max(log.version, version);
  log.keys.set(key, known);
}

async function checkKeys(log: Log): Promise<void> {
  for (const [key, known] of log.keys) {
    const bytes = await getIfThere(key);
    if (bytes === undefined) {
      expect({ key, isDeleting: known.isDeleting }).toEqual({ key, isDeleting: true });
      continue;
    }
    const version = parseVersion(bytes) ?? Number.NaN;
    expect([known.ended, known.begun]).toContain(version);
    // From here on this is the old one, whether its writer lived to say so or not.
    known.ended = version;
    known.isDeleting = false;
  }
}

async function checkNothingIsLeft(log: Log): Promise<void> {
  openStore(pathToFileURL(root).href).close();
  expect(await readdir(join(root, ".parfocal", "tmp"))).toEqual([]);
  const { objects } = await store.list("");
  const known = new Set([...log.keys.keys(), "counter"]);
  expect(objects.filter(({ key }) => !known.has(key))).toEqual([]);
}

async function getIfThere(key: string): Promise<Uint8Array | undefined> {
  try {
    return (await store.get(key)).bytes;
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
