import { createReadStream } from "node:fs";
import { basename } from "node:path";
import type { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "./clients.ts";
import type { FoundFile } from "./find-files.ts";

/** Bytes per message: large enough that messages cost nothing, a quarter of gRPC's usual limit. */
export const CHUNK_BYTES = 512 * 1024;

/** What {@link uploadFile} needs beside the file. */
export interface UploadOptions {
  /** `projects/{project}`. */
  readonly parent: string;
  readonly hints?: gatewayV1.ImportHints;
  readonly signal: AbortSignal;
  /** Told of every piece that was handed over. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Streams one file to the gateway, which imports it; gives its bags, or the reasons why there are none. The file is read as
 * fast as the gateway takes it.
 *
 * @throws {DomainError} whatever the gateway refuses the upload with.
 */
export async function uploadFile(
  { bags }: GatewayClients,
  file: FoundFile,
  options: UploadOptions,
): Promise<readonly gatewayV1.ImportedBag[]> {
  const { bags: imported } = await bags.uploadBag(piecesOf(file, options), { signal: options.signal });
  return imported;
}

async function* piecesOf(
  { path, sizeBytes }: FoundFile,
  { parent, hints, onBytes }: UploadOptions,
): AsyncIterable<gatewayV1.UploadBagRequest> {
  const header = { parent, fileName: basename(path), sizeBytes: BigInt(sizeBytes), hints };
  yield { piece: { $case: "header", value: header } };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    yield { piece: { $case: "chunk", value: chunk } };
    onBytes?.(chunk.length);
  }
}
