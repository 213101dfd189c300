import { createRandomWords } from "../random-words.ts";
import type { StoredSource, WireSource } from "../wire.ts";
import type { Tensor } from "./onnxruntime.ts";
import type { Residents } from "./residents.ts";
import { tensorFromBytes, tensorFromMessage, tensorFromWire } from "./tensors.ts";

/**
 * The tensor of a source that is not in the store, ready to feed. A small step finds all it needs at once, and a wait for each of
 * its feeds would cost a fifth of its time.
 *
 * @throws {DomainError} STATE_LOST when there is no resident tensor of that name
 */
export function feedFrom(
  source: Exclude<WireSource, StoredSource>,
  residents: Pick<Residents, "get">,
): Tensor | Promise<Tensor> {
  switch (source.kind) {
    case "inline": {
      const { tensor } = source;
      return "path" in tensor ? tensorFromWire(tensor) : tensorFromMessage(tensor);
    }
    case "resident":
      return residents.get(source.name);
    case "random":
      return tensorFromBytes("u16", source.shape, createRandomWords(source).buffer);
  }
}
