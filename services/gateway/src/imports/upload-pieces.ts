import { DomainError } from "@parfocal/errors";

/** A message of an upload: its header, then chunks. */
interface UploadMessage<Header> {
  readonly piece?:
    | { readonly $case: "header"; readonly value: Header }
    | { readonly $case: "chunk"; readonly value: Uint8Array }
    | undefined;
}

/** An upload whose header came. */
export interface StartedUpload<Header> {
  readonly header: Header;
  /** The bytes of the chunks, exactly as many as announced, as they come. Read it once. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Reads the header of an upload.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when something else comes first, or the announced size is out of its bounds. The chunks
 * throw it for a second header and for more bytes than announced, and `TRUNCATED` for fewer.
 */
export async function startUpload<Header extends { readonly sizeBytes: bigint }>(
  messages: AsyncIterable<UploadMessage<Header>>,
  maxBytes: number,
): Promise<StartedUpload<Header>> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  const piece = first.done === true ? undefined : first.value.piece;
  if (piece?.$case !== "header") throw new DomainError("INVALID_ARGUMENT", "an upload begins with its header");
  const { sizeBytes } = piece.value;
  if (sizeBytes < 1n || sizeBytes > BigInt(maxBytes)) {
    throw new DomainError("INVALID_ARGUMENT", `size_bytes is ${sizeBytes}; an upload is 1 to ${maxBytes} bytes`, {
      details: { field: "header.size_bytes" },
    });
  }
  return { header: piece.value, chunks: chunksOf(iterator, Number(sizeBytes)) };
}

async function* chunksOf<Header>(
  messages: AsyncIterator<UploadMessage<Header>>,
  sizeBytes: number,
): AsyncIterable<Uint8Array> {
  let received = 0;
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
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
