import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { startUpload } from "../imports/upload-pieces.ts";
import { hintsFromWire } from "../wire.ts";

/** A name without folders and control characters: it only tells the layout and the slide. */
const FILE_NAME = /^[^/\\\p{Cc}]{1,255}$/u;

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
    const folder = await mkdtemp(join(tmpdir(), "parfocal-upload-"));
    try {
      const path = join(folder, fileName);
      await pipeline(chunks, createWriteStream(path), { signal });
      const source = { kind: "file", path } as const;
      const file = { project, path: fileName, fileName, source, hints: hintsFromWire(header.hints) };
      return { bags: await importer.importFile(file, signal) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

function assertFileName(fileName: string): void {
  if (FILE_NAME.test(fileName) && fileName !== "." && fileName !== "..") return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `file_name of ${fileName.length} characters is not a plain name of 1 to 255`,
    {
      details: { field: "header.file_name" },
    },
  );
}
