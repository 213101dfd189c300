import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { hintsFromWire } from "../wire.ts";

/** A name without folders and control characters: it only tells the layout and the slide. */
const FILE_NAME = /^[^/\\\p{Cc}]{1,255}$/u;

/** `UploadBag`: spools the file to disk as it arrives (memory stays flat), then imports it in a process of its own. */
export function createUploadBag({ importer }: Pick<GatewayDeps, "importer">, maxUploadBytes: number) {
  return async (
    pieces: AsyncIterable<gatewayV1.UploadBagRequest>,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.UploadBagResponse> => {
    const iterator = pieces[Symbol.asyncIterator]();
    const header = headerFrom(await iterator.next(), maxUploadBytes);
    const { project } = parseResourceName("project", header.parent, "parent");
    const folder = await mkdtemp(join(tmpdir(), "parfocal-upload-"));
    try {
      const path = join(folder, header.fileName);
      await pipeline(chunksOf(iterator, Number(header.sizeBytes)), createWriteStream(path), { signal });
      const { fileName } = header;
      const source = { kind: "file", path } as const;
      const file = { project, path: fileName, fileName, source, hints: hintsFromWire(header.hints) };
      return { bags: await importer.importFile(file, signal) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

function headerFrom(first: IteratorResult<gatewayV1.UploadBagRequest>, maxUploadBytes: number): gatewayV1.UploadHeader {
  const piece = first.done === true ? undefined : first.value.piece;
  if (piece?.$case !== "header") throw new DomainError("INVALID_ARGUMENT", "an upload begins with its header");
  const { fileName, sizeBytes } = piece.value;
  if (!FILE_NAME.test(fileName) || fileName === "." || fileName === "..") {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `file_name of ${fileName.length} characters is not a plain name of 1 to 255`,
      {
        details: { field: "header.file_name" },
      },
    );
  }
  if (sizeBytes < 1n || sizeBytes > BigInt(maxUploadBytes)) {
    throw new DomainError("INVALID_ARGUMENT", `size_bytes is ${sizeBytes}; an upload is 1 to ${maxUploadBytes} bytes`, {
      details: { field: "header.size_bytes" },
    });
  }
  return piece.value;
}

/** The bytes of the chunks, exactly as many as announced. */
async function* chunksOf(
  pieces: AsyncIterator<gatewayV1.UploadBagRequest>,
  sizeBytes: number,
): AsyncIterable<Uint8Array> {
  let received = 0;
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
    const { piece } = next.value;
    if (piece?.$case !== "chunk")
      throw new DomainError("INVALID_ARGUMENT", "after its header an upload is chunks only");
    received += piece.value.byteLength;
    if (received > sizeBytes) {
      throw new DomainError("INVALID_ARGUMENT", `the upload has more than the ${sizeBytes} bytes its header announced`);
    }
    yield piece.value;
  }
  if (received < sizeBytes) {
    throw new DomainError(
      "TRUNCATED",
      `the upload ended after ${received} of the ${sizeBytes} bytes its header announced`,
    );
  }
}
