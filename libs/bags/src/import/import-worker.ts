import { isMarkedAsUntransferable, parentPort } from "node:worker_threads";
import { importInProcess } from "./import-in-process.ts";
import { type ImportProgress, type ImportReply, type ImportRequest, replyFromError } from "./import-messages.ts";
import type { ImportedBag } from "./imported-bag.ts";

/** Entry of the importing thread: one file at a time, one bag per request, arrays handed over without a copy. */
function serve(port: NonNullable<typeof parentPort>): void {
  let bags: AsyncGenerator<ImportedBag> | undefined;
  const tellRead = (sizeBytes: number) => port.postMessage({ kind: "read", sizeBytes } satisfies ImportProgress);
  port.on("message", (request: ImportRequest) => {
    if (request.kind === "open") bags = importInProcess(request.path, request.options, tellRead);
    void answer(bags).then(({ reply, buffers }) => port.postMessage(reply, buffers));
  });
}

interface Answer {
  readonly reply: ImportReply;
  readonly buffers: ArrayBuffer[];
}

async function answer(bags: AsyncGenerator<ImportedBag> | undefined): Promise<Answer> {
  try {
    const next = await bags?.next();
    if (!next || next.done === true) return { reply: { kind: "done" }, buffers: [] };
    const imported = compact(next.value);
    return { reply: { kind: "bag", imported }, buffers: buffersOf(imported) };
  } catch (error) {
    return { reply: replyFromError(error), buffers: [] };
  }
}

type Words = Float32Array | Uint16Array | Int32Array | Uint8Array;

/** Copies arrays that are a small part of their buffer, or of one that Node keeps for itself. */
function compact({ bag, ...rest }: ImportedBag): ImportedBag {
  const own = <T extends Words>(data: T): T => {
    const isOwn = data.buffer.byteLength <= 2 * data.byteLength && !isMarkedAsUntransferable(data.buffer);
    return isOwn ? data : (data.slice() as T);
  };
  const features =
    bag.features.dtype === "F16"
      ? { dtype: bag.features.dtype, data: own(bag.features.data) }
      : { dtype: bag.features.dtype, data: own(bag.features.data) };
  const coords = bag.coords && own(bag.coords);
  const level = bag.level && own(bag.level);
  const flags = bag.flags && own(bag.flags);
  const sides = { ...(coords && { coords }), ...(level && { level }), ...(flags && { flags }) };
  return { ...rest, bag: { ...bag, features, ...sides } };
}

function buffersOf({ bag }: ImportedBag): ArrayBuffer[] {
  const arrays: (Words | undefined)[] = [bag.features.data, bag.coords, bag.level, bag.flags];
  const buffers = arrays.flatMap((array) => (array?.buffer instanceof ArrayBuffer ? [array.buffer] : []));
  return [...new Set(buffers)];
}

if (parentPort) serve(parentPort);
