import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { type FileToWrite, orPlaceError, writeFiles } from "../output/write-files.ts";
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
  /** What on the command line named the folder, for errors; absent: nothing did. */
  readonly option?: string;
  readonly signal: AbortSignal;
}

/**
 * Fetches files that an operation left into a folder, which is made if need be; gives their paths. They get their names when all have
 * come: a failure leaves the files of before.
 *
 * @throws {DomainError} of the place, as `writeFiles`; what the gateway answers.
 */
export async function downloadResults(
  { watching }: GatewayClients,
  { name, files, folder, option, signal }: DownloadOptions,
): Promise<string[]> {
  const named = option === undefined ? {} : { option };
  await orPlaceError({ path: folder, ...named }, () => mkdir(folder, { recursive: true }));
  const downloads = files.map((file): FileToWrite => {
    // The call is made when the first chunk is asked for: one file after another.
    const chunks = chunksOf(() => watching.downloadResult({ name, file }, { signal }));
    return { path: join(folder, file), content: chunks, ...named };
  });
  await writeFiles(downloads);
  return downloads.map(({ path }) => path);
}

async function* chunksOf(download: () => AsyncIterable<gatewayV1.DownloadResultResponse>): AsyncIterable<Uint8Array> {
  for await (const { chunk } of download()) yield chunk;
}
