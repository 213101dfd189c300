import { DomainError } from "@parfocal/errors";
import { isDigest, MAX_SEEN, type SeenBags } from "./seen-bags.ts";

/** The name of the file in a package. */
export const SEEN_PATH = "seen.json";

/** Version of the file's layout; another one is refused, never guessed at. */
const FORMAT = "parfocal-seen/1";

/** A digest with quotes and comma takes 67 bytes; the rest is names and brackets. */
const MAX_BYTES = 67 * MAX_SEEN + 1024;

/** What a model has seen as JSON: both lists sorted, so that the same training gives the same bytes. */
export function encodeSeen({ training, validation, isComplete }: SeenBags): Uint8Array {
  const json = { format: FORMAT, isComplete, training: [...training].sort(), validation: [...validation].sort() };
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`);
}

/**
 * The reverse of {@link encodeSeen}.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` for another version; `CORRUPT` for anything else than two sorted lists of different digests, at
 * most {@link MAX_SEEN} in all, none in both.
 */
export function parseSeen(bytes: Uint8Array): SeenBags {
  if (bytes.byteLength > MAX_BYTES) throw damaged(`it has ${bytes.byteLength} bytes, more than ${MAX_BYTES}`);
  const { format, isComplete, ...lists } = fieldsOf(bytes);
  if (format !== FORMAT) throw new DomainError("UNSUPPORTED_FORMAT", `what the model has seen is not in ${FORMAT}`);
  if (typeof isComplete !== "boolean") throw damaged("isComplete is neither true nor false");
  const nOthers = Object.keys(lists).filter((name) => name !== "training" && name !== "validation").length;
  if (nOthers > 0) throw damaged(`it has ${nOthers} unknown fields`);
  const [training, validation] = [readDigests("training", lists), readDigests("validation", lists)];
  const count = training.size + validation.size;
  if (count > MAX_SEEN) throw damaged(`it has ${count} digests, more than ${MAX_SEEN}`);
  const nShared = [...validation].filter((digest) => training.has(digest)).length;
  if (nShared > 0) throw damaged(`${nShared} digests are in both parts`);
  return { training, validation, isComplete };
}

function fieldsOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // What the parser says quotes the file.
    throw damaged("it is no JSON");
  }
  if (typeof json !== "object" || json === null) throw damaged("it is no JSON object");
  return json as Record<string, unknown>;
}

function readDigests(name: string, lists: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const digests = lists[name];
  if (Array.isArray(digests) && digests.every((digest, i) => isNext(digest, digests[i - 1]))) return new Set(digests);
  throw damaged(`${name} is no sorted list of different digests, 64 hex digits each`);
}

/** Whether `digest` is one, and behind the one before, if there is any. */
function isNext(digest: unknown, before: unknown): digest is string {
  return typeof digest === "string" && isDigest(digest) && (before === undefined || String(before) < digest);
}

function damaged(reason: string): DomainError {
  return new DomainError("CORRUPT", `the file of bags that the model has seen is damaged: ${reason}`);
}
