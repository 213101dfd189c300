import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { gatewayV1 } from "@parfocal/protocol";

/** The pieces of an upload of a local file. */
export async function* piecesOf(path: string, project: string): AsyncIterable<gatewayV1.UploadBagRequest> {
  const sizeBytes = BigInt((await stat(path)).size);
  const header = { parent: `projects/${project}`, fileName: basename(path), sizeBytes, hints: undefined };
  yield { piece: { $case: "header", value: header } };
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    yield { piece: { $case: "chunk", value: chunk as Buffer } };
  }
}
