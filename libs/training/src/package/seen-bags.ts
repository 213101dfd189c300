import { type BagMetadata, type BagRef, bagOfDerived } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Split } from "@parfocal/metrics";

/** Which part of a model's training had a bag; `neither`: no training on labels that the model comes from had it. */
export type SeenPart = "training" | "validation" | "neither" | "unknown";

/** What a model's trainings on labels have had, its own and those of the models that it started from. */
export interface SeenBags {
  /** SHA-256, lower-case hex, by which bags that trained are known, see {@link identityOf}. */
  readonly training: ReadonlySet<string>;
  /** The same of bags that validated and never trained. */
  readonly validation: ReadonlySet<string>;
  /** Whether all trainings are told; of a bag that an incomplete list does not have nothing is known. */
  readonly isComplete: boolean;
}

/** Of a model that has not been trained on labels, such as a pretrained mixer. */
export const NOTHING_SEEN: SeenBags = { training: new Set(), validation: new Set(), isComplete: true };

/** Of a model that does not say. */
export const NOTHING_KNOWN: SeenBags = { ...NOTHING_SEEN, isComplete: false };

/** Most digests that a package names: five trainings of 100 000 bags one after the other, each bag with its file. */
export const MAX_SEEN = 1_000_000;

/** The importer that re-embedded bags name; they tell the bag that they were made of. */
export const REEMBED_IMPORTER = "parfocal-reembed/1";

/**
 * The digests by which a bag is known: its own, and that of the file it was imported from, which another slide name or another hint at the
 * import does not change. Of thinned and re-embedded copies those of the bag that they were made of. None for a re-embedded bag that came from
 * elsewhere: what it was made of is not known.
 *
 * @param isReembedded whether the model's re-embedder made it.
 */
export function identityOf(ref: Pick<BagRef, "key" | "digest">, metadata: BagMetadata, isReembedded = false): string[] {
  const { sourceDigest, fileDigest, importer } = metadata;
  const own = isReembedded
    ? importer === REEMBED_IMPORTER && [sourceDigest, fileDigest]
    : [bagOfDerived(ref.key) ?? ref.digest, sourceDigest];
  return (own || []).filter((digest) => digest !== undefined);
}

/** Which part had a bag of this identity. */
export function seenPartOf({ training, validation, isComplete }: SeenBags, identity: readonly string[]): SeenPart {
  if (identity.some((digest) => training.has(digest))) return "training";
  if (identity.some((digest) => validation.has(digest))) return "validation";
  return isComplete && identity.length > 0 ? "neither" : "unknown";
}

const ORDER: readonly SeenPart[] = ["training", "validation", "unknown", "neither"];

/** What is told of several bags together: the first of training, validation, unknown and neither that holds for any. */
export function worstSeen(parts: readonly SeenPart[]): SeenPart {
  return ORDER.find((part) => parts.includes(part)) ?? "unknown";
}

/** Whether a text is a SHA-256 in lower-case hex. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/u.test(text);
}

/**
 * What a model has seen that is trained on these parts, and what the one that it starts from has.
 *
 * @param identities of the rows of `split`.
 * @throws {DomainError} `PRECONDITION_FAILED` for more than {@link MAX_SEEN} digests.
 */
export function seenOfTraining(
  split: Pick<Split, "train" | "validation">,
  identities: readonly (readonly string[])[],
  start: SeenBags = NOTHING_SEEN,
): SeenBags {
  // What a file says of its source is text of any kind.
  const of = (rows: readonly number[]) => rows.flatMap((row) => identities[row] ?? []).filter(isDigest);
  const training = new Set([...start.training, ...of(split.train)]);
  const validation = new Set([...start.validation, ...of(split.validation)]);
  for (const digest of training) validation.delete(digest);
  const count = training.size + validation.size;
  if (count <= MAX_SEEN) return { training, validation, isComplete: start.isComplete };
  const message = `the training and those before it have ${count} digests of bags and files; a model names at most ${MAX_SEEN}`;
  throw new DomainError("PRECONDITION_FAILED", message);
}
