import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { startUpload } from "../imports/upload-pieces.ts";
import { withSpooledUpload } from "../spool-upload.ts";
import { hintsFromWire } from "../wire.ts";

/** A name without folders and control characters: it only tells the layout and the slide. */
const FILE_NAME = /^[^/\\\p{Cc}]+$/u;
/** What file systems take. */
const MAX_FILE_NAME_BYTES = 255;

/** `UploadBag`: spools the file to disk as it arrives (memory stays flat), then imports it in a process of its own. */
export function createUploadBag({ importer }: Pick<GatewayDeps, "importer">, maxUploadBytes: number) {
  return async (
    pieces: AsyncIterable<gatewayV1.UploadBagRequest>,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.UploadBagResponse> => {
    const { header, chunks } = await startUpload(pieces, maxUploadBytes);
    const { fileName } = header;
    assertFileName(fileName);
    const { project } = parseResourceName("project", header.parent, "parent");
    const hints = hintsFromWire(header.hints);
    return withSpooledUpload(chunks, signal, async (path) => {
      const file = { project, path: fileName, fileName, source: { kind: "file", path } as const, hints };
      return { bags: await importer.importFile(file, signal) };
    });
  };
}

function assertFileName(fileName: string): void {
  const nBytes = Buffer.byteLength(fileName);
  const isPlain = FILE_NAME.test(fileName) && fileName !== "." && fileName !== "..";
  if (isPlain && nBytes <= MAX_FILE_NAME_BYTES) return;
  const bound = `1 to ${MAX_FILE_NAME_BYTES}`;
  const details = { field: "header.file_name", value: `${nBytes}`, bound };
  throw new DomainError("INVALID_ARGUMENT", `file_name of ${nBytes} bytes is not a plain name of ${bound} bytes`, {
    details,
  });
}
