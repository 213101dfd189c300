import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";
import { CHUNK_BYTES } from "./upload-file.ts";

/**
 * Streams a manifest to the gateway; gives the name under which `BatchPredict` takes it.
 *
 * @throws {UsageError} for a path that is no file. @throws {DomainError} whatever the gateway refuses the upload with.
 */
export async function uploadManifest(
  { prediction }: GatewayClients,
  path: string,
  { parent, signal }: { readonly parent: string; readonly signal: AbortSignal },
): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) throw new UsageError(`there is no file ${path}`);
  if (info.size === 0) throw new UsageError(`${path} is empty`);
  const { upload } = await prediction.uploadManifest(piecesOf(path, info.size, parent), { signal });
  return upload;
}

async function* piecesOf(
  path: string,
  totalBytes: number,
  parent: string,
): AsyncIterable<gatewayV1.UploadManifestRequest> {
  yield { piece: { $case: "header", value: { parent, sizeBytes: BigInt(totalBytes) } } };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    yield { piece: { $case: "chunk", value: chunk } };
  }
}
