/**
 * @file The process that parses files from outside: one job at a time, told by messages, ends with its parent.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { importFile, writeBag } from "@parfocal/bags";
import { openStore } from "@parfocal/store";
import { type ImportPhase, replyFromError } from "./import-failure.ts";
import type { ImportCommand, ImportJob, ImportOutcome, ImportReply } from "./import-messages.ts";
import { orSpoolError } from "./spool-error.ts";

function reply(message: ImportReply): void {
  process.send?.(message);
}

/** Gives the path of the job's file on this machine, where objects are downloaded to `folder`. */
async function localFile({ source }: ImportJob, folder: string): Promise<string> {
  if (source.kind === "file") return source.path;
  const store = openStore(source.store.uri, source.store.options);
  try {
    // Not its own name, which may be longer than files may have.
    const path = join(folder, "object");
    const stream = await store.getStream(source.key);
    await orSpoolError(pipeline(stream.chunks, createWriteStream(path)));
    return path;
  } finally {
    store.close();
  }
}

/**
 * Imports the job's file and stores its bags one by one, so that a file of thousands of bags needs the memory of one. `enter` is told
 * what comes next. A file gives the same bags in the same order every time, so those of an earlier try are known by their number.
 */
async function* importJob(
  { job, folder, nDone }: ImportCommand,
  enter: (phase: ImportPhase) => void,
): AsyncIterable<ImportOutcome> {
  enter("source");
  const path = await localFile(job, folder);
  enter("target");
  const store = openStore(job.target.uri, job.target.options);
  try {
    enter("file");
    let nRead = 0;
    for await (const { bag, inferred } of importFile(path, { ...job.hints, fileName: job.fileName })) {
      if (nRead++ < nDone) continue;
      enter("target");
      const ref = await writeBag(store, job.targetPrefix, bag);
      yield { kind: "bag", ref, metadata: bag.metadata, inferred: describeInferred(inferred) };
      enter("file");
    }
  } finally {
    store.close();
  }
}

/** What the importer concluded, as words for people and programs. */
function describeInferred(inferred: object): Record<string, string> {
  const entries = Object.entries(inferred).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join("; ") : String(value)]),
  );
}

/** Does a job; gives the reply that ends it. */
async function lastReplyOf(command: ImportCommand): Promise<ImportReply> {
  let phase: ImportPhase = "source";
  try {
    for await (const outcome of importJob(command, (next) => (phase = next))) reply({ kind: "outcome", outcome });
    return { kind: "done" };
  } catch (error) {
    return replyFromError(error, phase);
  }
}

process.on("message", (command: ImportCommand) => void lastReplyOf(command).then(reply));
process.once("disconnect", () => process.exit(0));
// The parent owns the life cycle: a Ctrl-C in the terminal reaches the whole group and must not cut an import it drains.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
