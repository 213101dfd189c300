import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "./clients.ts";

/** Names of the files of a table, e.g. `predictions.csv`. */
export function filesOfTable({ csv, jsonl, parquet }: gatewayV1.ResultTable): string[] {
  return [csv, jsonl, parquet].flatMap((object) => (object === undefined ? [] : [fileNameOf(object)]));
}

/** The name under which DownloadResult gives an object. */
export function fileNameOf({ uri }: commonV1.ObjectReference): string {
  return uri.slice(uri.lastIndexOf("/") + 1);
}

/** What {@link downloadResults} fetches. */
interface DownloadOptions {
  /** `projects/{project}/operations/{operation}`. */
  readonly name: string;
  readonly files: readonly string[];
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Fetches files that an operation left into a folder, which is made if need be; gives their paths. */
export async function downloadResults(
  { watching }: GatewayClients,
  { name, files, folder, signal }: DownloadOptions,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const file of files) {
    const path = join(folder, file);
    const messages = watching.downloadResult({ name, file }, { signal });
    await pipeline(Readable.from(chunksOf(messages)), createWriteStream(path));
    paths.push(path);
  }
  return paths;
}

async function* chunksOf(messages: AsyncIterable<gatewayV1.DownloadResultResponse>): AsyncIterable<Uint8Array> {
  for await (const { chunk } of messages) yield chunk;
}
