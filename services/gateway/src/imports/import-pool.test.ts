import type { ChildProcess, ForkOptions } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ImportJob, StoreAddress } from "./import-messages.ts";
import { createImportPool, type ImportPool } from "./import-pool.ts";

/** The processes that were started, and how many of those to come are killed with their first job. */
const processes = vi.hoisted(() => ({ started: [] as ChildProcess[], nToKill: 0 }));
vi.mock("node:child_process", async (load) => {
  const real = await load<typeof import("node:child_process")>();
  const fork = (module: URL, options: ForkOptions) => {
    const child = real.fork(module, options);
    processes.started.push(child);
    if (processes.nToKill > 0) {
      processes.nToKill--;
      // The job is sent by then and not yet read.
      setImmediate(() => kill(child));
    }
    return child;
  };
  return { ...real, fork };
});

/** As the kernel does when memory is short: the pool hears of it by the death alone. */
function kill(child: ChildProcess | undefined): void {
  if (child?.pid !== undefined) process.kill(child.pid, "SIGKILL");
}

const NEVER = new AbortController().signal;
const root = mkdtempSync(join(tmpdir(), "parfocal-pool-"));
const temporary = join(root, "tmp");
mkdirSync(temporary);
afterAll(() => rm(root, { recursive: true }));

const OPTIONS = { maxProcesses: 1, maxWaiting: 1, heapMb: 128, maxFileSeconds: 3600 };
let pool: ImportPool;
beforeEach(() => {
  vi.stubEnv("TMPDIR", temporary);
  pool = createImportPool(OPTIONS);
});
afterEach(async () => {
  await pool.close();
  vi.unstubAllEnvs();
  processes.started.length = 0;
  processes.nToKill = 0;
});

const target: StoreAddress = { uri: pathToFileURL(join(root, "store")).href, options: {} };
/** A store at which nobody answers. */
const away = awayAt("http://127.0.0.1:1");

function awayAt(endpoint: string): StoreAddress {
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  return { uri: "s3://bucket/p", options: { endpoint, credentials, maxAttempts: 1 } };
}

function jobOf(fileName: string, text: string): ImportJob {
  const path = join(root, fileName);
  writeFileSync(path, text);
  return { source: { kind: "file", path }, fileName, hints: {}, target, targetPrefix: "bags/" };
}

const twoBags = jobOf("two.csv", "label,bag,a\n1,x,1\n1,y,2\n");
const kindsOf = async (job: ImportJob) => (await Array.fromAsync(pool.run(job, NEVER))).map(({ kind }) => kind);

describe("a pool of import processes", () => {
  it("has a fresh process for the job after one that was left early", async () => {
    for await (const outcome of pool.run(twoBags, NEVER)) {
      expect(outcome.kind).toBe("bag");
      break;
    }
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
  });

  it("keeps a process for the next file", async () => {
    await kindsOf(twoBags);
    await kindsOf(jobOf("bad.npy", "not npy"));
    await kindsOf(twoBags);
    expect(processes.started).toHaveLength(1);
  });

  it("says that no process can be started, and imports when one can again", async () => {
    const { execPath } = process;
    process.execPath = join(root, "absent");
    try {
      const refused = Array.fromAsync(pool.run(twoBags, NEVER));
      await expect(refused).rejects.toMatchObject({ code: "UNREACHABLE" });
      await expect(refused).rejects.toThrow("ENOENT");
    } finally {
      process.execPath = execPath;
    }
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
  });

  it("imports by another process when the idle one was killed and nobody knows yet", async () => {
    await kindsOf(twoBags);
    kill(processes.started[0]);
    // The event loop must not hear of the death before the job is sent.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
  });

  it("starts nothing after it was closed", async () => {
    await pool.close();
    await expect(Array.fromAsync(pool.run(twoBags, NEVER))).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(processes.started).toHaveLength(0);
  });
});

describe("a file whose process is killed", () => {
  it("is tried once more in a fresh process", async () => {
    processes.nToKill = 1;
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
    expect(processes.started).toHaveLength(2);
  });

  it("gives every bag once when it was killed between them", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `1,bag-${i},${i}\n`);
    const digests: string[] = [];
    for await (const outcome of pool.run(jobOf("many.csv", `label,bag,a\n${rows.join("")}`), NEVER)) {
      if (digests.length === 0) kill(processes.started[0]);
      digests.push(outcome.kind === "bag" ? outcome.ref.digest : outcome.message);
    }
    expect(processes.started).toHaveLength(2);
    expect(new Set(digests).size).toBe(60);
    expect(digests).toHaveLength(60);
  });

  it("is refused when that one is killed too, which is no failure of those after it", async () => {
    processes.nToKill = 2;
    const [outcome, ...more] = await Array.fromAsync(pool.run(twoBags, NEVER));
    expect(outcome).toMatchObject({ kind: "error", code: "OUT_OF_MEMORY" });
    expect(outcome).toHaveProperty("message", expect.stringMatching(/SIGKILL.*memory$/));
    expect(more).toEqual([]);
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
  });
});

describe("a store that is away", () => {
  it("is a failure of the import and not of the file, and costs no process", async () => {
    const toNowhere = { ...twoBags, target: away };
    const fromNowhere: ImportJob = { ...twoBags, source: { kind: "object", store: away, key: "two.csv" } };
    for (const job of [toNowhere, fromNowhere]) {
      await expect(Array.fromAsync(pool.run(job, NEVER))).rejects.toMatchObject({ code: "UNREACHABLE" });
    }
    expect(await kindsOf(twoBags)).toEqual(["bag", "bag"]);
    expect(processes.started).toHaveLength(1);
  });

  it("is not to be confused with an object that is not there", async () => {
    const job: ImportJob = { ...twoBags, source: { kind: "object", store: target, key: "absent.csv" } };
    const outcomes = await Array.fromAsync(pool.run(job, NEVER));
    expect(outcomes).toEqual([expect.objectContaining({ kind: "error", code: "NOT_FOUND" })]);
  });
});

/** A store that takes calls and answers none, with a job that reads from it. */
async function startSilentStore() {
  const server = createServer(() => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const store = awayAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const job: ImportJob = { ...twoBags, source: { kind: "object", store, key: "a.csv" } };
  return { server, job };
}

describe("a file that takes too long", () => {
  it("is refused, and its process ended", async () => {
    const limited = createImportPool({ ...OPTIONS, maxFileSeconds: 1 });
    const { server, job } = await startSilentStore();
    try {
      const message = "the file took more than 1 s to import";
      expect(await Array.fromAsync(limited.run(job, NEVER))).toEqual([
        { kind: "error", code: "RESOURCE_EXHAUSTED", message },
      ]);
      expect(readdirSync(temporary)).toEqual([]);
      expect(processes.started.map(({ signalCode }) => signalCode)).toEqual(["SIGKILL"]);
    } finally {
      await limited.close();
      server.close();
    }
  });
});

describe("the folder of an import", () => {
  /** An import that waits for a store which takes the call and never answers; `leave` ends it. */
  async function whileItDownloads(leave: (controller: AbortController) => Promise<void> | void): Promise<void> {
    const { server, job } = await startSilentStore();
    const controller = new AbortController();
    const run = Array.fromAsync(pool.run(job, controller.signal));
    const failure = expect(run).rejects.toMatchObject({ name: "DomainError" });
    await once(server, "connection");
    expect(readdirSync(temporary)).toHaveLength(1);
    await leave(controller);
    await failure;
    server.close();
  }

  it("is gone once the import is cancelled", async () => {
    await whileItDownloads((controller) => controller.abort());
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("is gone once the pool is closed", async () => {
    await whileItDownloads(async () => {
      await pool.close();
      expect(readdirSync(temporary)).toEqual([]);
    });
  });

  it("is gone after what ends well", async () => {
    const store: StoreAddress = { uri: pathToFileURL(root).href, options: {} };
    expect(await kindsOf({ ...twoBags, source: { kind: "object", store, key: "two.csv" } })).toEqual(["bag", "bag"]);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
