import { encodeSafetensorsHeader, parseSafetensorsHeader, safetensorsHeaderEnd } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";

/** The largest number of half precision. */
const MAX_HALF = 65_504;

/** Where the features of a file lie, and the first bytes of the file that is to be. */
interface HalfPlan {
  readonly header: Uint8Array;
  readonly dataOffsetBytes: number;
  readonly features: { readonly offsetBytes: number; readonly lengthBytes: number };
}

/**
 * A bag's file with its features in half precision (nearest, ties to even), from one of f32 as it comes: a few pieces of it are in memory.
 * Everything beside the features stays as it is.
 *
 * @throws {DomainError} `NON_FINITE` for a feature beyond 65 504; `CORRUPT` for a file that is no bag of f32 features; `TRUNCATED`.
 */
export async function* halvedBag(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let head: Uint8Array = new Uint8Array();
  let halver: ReturnType<typeof createHalver> | undefined;
  for await (const chunk of bytes) {
    if (halver !== undefined) {
      yield* halver(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 8 || head.length < safetensorsHeaderEnd(head)) continue;
    const plan = planOf(head);
    yield plan.header;
    halver = createHalver(plan);
    yield* halver(head.subarray(plan.dataOffsetBytes));
  }
  if (halver === undefined)
    throw new DomainError("TRUNCATED", `the file ends after ${head.length} bytes, in its header`);
}

/** `prefix` holds the whole header. */
function planOf(prefix: Uint8Array): HalfPlan {
  const { tensors, metadata, dataOffsetBytes } = parseSafetensorsHeader(prefix);
  const features = tensors.get("features");
  if (features?.dtype !== "F32") throw new DomainError("CORRUPT", "the file holds no features of f32");
  const halved = new Map([...tensors, ["features", { ...features, dtype: "F16" }] as const]);
  const { header, order } = encodeSafetensorsHeader(halved, metadata);
  // Pieces pass as they come, so what follows what must be the same in both files; in canonical ones it is.
  if (order.some((name, i) => name !== [...tensors.keys()][i]))
    throw new DomainError("CORRUPT", "the tensors of the file do not lie in the order of a canonical bag");
  return { header, dataOffsetBytes, features };
}

/** Turns the data of a file, given piece by piece from its first byte, into those of the other file. */
function createHalver({ dataOffsetBytes, features: { offsetBytes, lengthBytes } }: HalfPlan) {
  let position = dataOffsetBytes;
  // Of a number that is cut by the end of a piece.
  let rest: Uint8Array = new Uint8Array();
  return function* halve(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    const within = (place: number) => Math.min(chunk.length, Math.max(0, place - position));
    const [start, end] = [within(offsetBytes), within(offsetBytes + lengthBytes)];
    position += chunk.length;
    yield chunk.subarray(0, start);
    const wide = Buffer.concat([rest, chunk.subarray(start, end)]);
    const nWhole = wide.length - (wide.length % 4);
    rest = wide.subarray(nWhole);
    yield halvesOf(wide.subarray(0, nWhole));
    yield chunk.subarray(end);
  };
}

/** Little-endian f32 as little-endian f16. */
function halvesOf(bytes: Uint8Array): Uint8Array {
  // A copy: numbers are viewed at multiples of four.
  const floats = new Float32Array(Uint8Array.from(bytes).buffer);
  const halves = new Float16Array(floats);
  const at = halves.findIndex((half) => !Number.isFinite(half));
  if (at >= 0) {
    const message = `a feature is ${floats[at]}, the largest of f16 is ${MAX_HALF}: write f32`;
    throw new DomainError("NON_FINITE", message, { details: { value: String(floats[at]), bound: String(MAX_HALF) } });
  }
  return new Uint8Array(halves.buffer);
}
