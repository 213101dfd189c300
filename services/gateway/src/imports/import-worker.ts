/**
 * @file The process that parses files from outside: one job at a time, told by messages, ends with its parent.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { importFile, writeBag } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { openStore } from "@parfocal/store";
import type { ImportCommand, ImportJob, ImportOutcome, ImportReply } from "./import-messages.ts";

function reply(message: ImportReply): void {
  process.send?.(message);
}

/** Gives the path of the job's file on this machine; `dispose` removes what was downloaded. */
async function localFile(job: ImportJob): Promise<{ path: string; dispose: () => Promise<void> }> {
  const { source } = job;
  if (source.kind === "file") return { path: source.path, dispose: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), "parfocal-import-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  const store = openStore(source.store.uri, source.store.options);
  try {
    const path = join(folder, job.fileName);
    const stream = await store.getStream(source.key);
    await pipeline(stream.chunks, createWriteStream(path));
    return { path, dispose };
  } catch (error) {
    await dispose();
    throw error;
  } finally {
    store.close();
  }
}

/** Imports the job's file and stores its bags one by one, so that a file of thousands of bags needs the memory of one. */
async function* importJob(job: ImportJob): AsyncIterable<ImportOutcome> {
  const file = await localFile(job);
  const store = openStore(job.target.uri, job.target.options);
  try {
    for await (const { bag, inferred } of importFile(file.path, job.hints)) {
      const ref = await writeBag(store, job.targetPrefix, bag);
      yield { kind: "bag", ref, metadata: bag.metadata, inferred: describeInferred(inferred) };
    }
  } finally {
    store.close();
    await file.dispose();
  }
}

/** What the importer concluded, as words for people and programs. */
function describeInferred(inferred: object): Record<string, string> {
  const entries = Object.entries(inferred).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join("; ") : String(value)]),
  );
}

function outcomeFromError(error: unknown): ImportOutcome {
  if (error instanceof DomainError) return { kind: "error", code: error.code, message: error.message };
  return {
    kind: "error",
    code: "INTERNAL",
    message: `the importer failed: ${error instanceof Error ? error.name : "unknown"}`,
  };
}

async function handle(command: ImportCommand): Promise<void> {
  try {
    for await (const outcome of importJob(command.job)) reply({ kind: "outcome", outcome });
  } catch (error) {
    reply({ kind: "outcome", outcome: outcomeFromError(error) });
  }
  reply({ kind: "done" });
}

process.on("message", (command: ImportCommand) => void handle(command));
process.once("disconnect", () => process.exit(0));
// The parent owns the life cycle: a Ctrl-C in the terminal reaches the whole group and must not cut an import it drains.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
