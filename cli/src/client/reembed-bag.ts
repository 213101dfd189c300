import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { writeFiles } from "../output/write-files.ts";
import type { GatewayClients } from "./clients.ts";
import { halvedBag } from "./half-bag.ts";

/** What {@link writeReembedding} asks for, and where it goes. */
export interface ReembedWish {
  /** Resource name of the model's version. */
  readonly model: string;
  /** Resource name of the bag. */
  readonly bag: string;
  /** Element type of the features in the file; they are made in f32. */
  readonly dtype: "f32" | "f16";
  readonly path: string;
  /** What on the command line named the place, for errors. */
  readonly option: string;
  readonly signal: AbortSignal;
  /** Hears how far the stage is, 0 to 1; not at all where the bag was re-embedded before. */
  readonly onProgress?: (fraction: number) => void;
}

/**
 * Has a bag re-embedded and writes what came of it as one safetensors file, which gets its name when it is complete and its digest is
 * right; gives what the gateway said of it.
 *
 * @throws {DomainError} `CORRUPT` for bytes that are others than were told; of the place, as `writeFiles`; of numbers, as `halvedBag`; what
 * the gateway answers.
 */
export async function writeReembedding(
  { prediction }: Pick<GatewayClients, "prediction">,
  { model, bag, dtype, path, option, signal, onProgress }: ReembedWish,
): Promise<gatewayV1.ReembeddedBag> {
  const events = prediction.reembed({ model, bag, includeContent: true }, { signal })[Symbol.asyncIterator]();
  try {
    const reembedded = await reembeddedOf(events, onProgress);
    const bytes = verifiedChunks(events, reembedded.reference?.object);
    await writeFiles([{ path, option, content: dtype === "f16" ? halvedBag(bytes) : bytes }]);
    return reembedded;
  } finally {
    // Ends the call when the file could not be written.
    await events.return?.();
  }
}

type Events = AsyncIterator<gatewayV1.ReembedResponse>;

async function reembeddedOf(events: Events, onProgress: ReembedWish["onProgress"]): Promise<gatewayV1.ReembeddedBag> {
  for (;;) {
    const step = await events.next();
    if (step.done === true)
      throw new DomainError("UNREACHABLE", "the gateway ended the answer before it told of a bag");
    const { event } = step.value;
    if (event?.$case === "reembedded") return event.value;
    if (event?.$case === "progress") onProgress?.(Number(event.value.doneTiles) / Number(event.value.totalTiles));
  }
}

/** The bytes that follow. @throws {DomainError} `CORRUPT`, at their end, when they are not the object's. */
async function* verifiedChunks(
  events: Events,
  object: commonV1.ObjectReference | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  for (;;) {
    const step = await events.next();
    if (step.done === true) break;
    const { event } = step.value;
    if (event?.$case !== "chunk") continue;
    hash.update(event.value);
    yield event.value;
  }
  const digest = hash.digest("hex");
  if (digest === object?.sha256) return;
  throw new DomainError("CORRUPT", `the bytes that came have SHA-256 ${digest}, not ${object?.sha256}`);
}
