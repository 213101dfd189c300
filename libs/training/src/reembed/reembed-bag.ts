import { type BagHeader, type BagRef, readBagHeader } from "@parfocal/bags";
import type { Engine } from "@parfocal/engine";
import { DomainError, mapYields } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { assertBagFits } from "../bag-inputs.ts";
import type { LoadedModel, LoadedReembedder } from "../package/load-model.ts";
import { REEMBED_IMPORTER } from "../package/seen-bags.ts";
import { readSides } from "../sides/read-sides.ts";
import { uniqueRows } from "../sides/unique-cells.ts";
import { assertSourceFits, sourceFactsOf } from "../source-facts.ts";
import { type StoredBag, thinBag } from "../thin-bag.ts";
import { computeAnew } from "./compute-anew.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { type ReembedSlot, reembedSlot } from "./reembed-cache.ts";

/** What {@link reembedBag} runs on. */
export interface ReembedDeps {
  readonly engine: Engine;
  /** The store of the bag, in which the re-embedded one is kept. */
  readonly store: ObjectStore;
  /** Keeps two calls from computing the same bag at the same time. */
  readonly lock: KeyedLock;
  /** See `ComputeOptions`. */
  readonly wholeBytes?: number;
  /** Hears how many tiles of a bag were left out, as they share a cell with others; bags that lose none are not told. */
  readonly onThinned?: (droppedCount: number) => void;
}

/** How far a re-embedding is. */
export interface ReembedProgress {
  /** Rows that were read and, in re-embedders with a stem, went through it. */
  readonly nDone: number;
  readonly nTotal: number;
}

/** Options of {@link reembedBag}. */
export interface ReembedOptions {
  /** Whether what is kept is read and its digest checked before it is the answer. Default: no. */
  readonly verifies?: boolean;
}

/**
 * Re-embeds one bag and keeps the result under (re-embedder, bag): asked again, by this or any other model with the same
 * re-embedder, it is the answer at once, if the bag fits the model that asks. One that is seen to be damaged is deleted and made
 * anew. Of tiles that share a cell a model that takes one gets the first. Yields progress, returns the reference of the re-embedded bag: f32, a row for each tile, each one that is kept, or each
 * region, with their coordinates and what was known of the slide, its encoder named after the re-embedder.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model without re-embedder; `GEOMETRY_MISMATCH` naming both widths,
 * encoders or geometries; `EMPTY_BAG`; `CORRUPT` when the stored bag is another one; `NON_FINITE` when the re-embedded tiles
 * are; `CANCELLED` when the signal fires; what store and engine throw.
 */
export async function* reembedBag(
  deps: ReembedDeps,
  loaded: Pick<LoadedModel, "model" | "manifest" | "reembed">,
  ref: BagRef,
  signal: AbortSignal,
  { verifies = false }: ReembedOptions = {},
): AsyncGenerator<ReembedProgress, BagRef, undefined> {
  const { model, manifest, reembed } = loaded;
  if (reembed === undefined) throw new DomainError("PRECONDITION_FAILED", "the model has no re-embedder");
  assertBagFits(model, ref);
  const header = await readBagHeader(deps.store, ref, { signal });
  assertNotReembedded(header, reembed);
  // Before what is kept is looked for: a model that takes other bags may have had it made.
  assertSourceFits(manifest.expects, sourceFactsOf(header.metadata, model));
  const slot = reembedSlot(deps.store, reembed.digest, ref.digest);
  // What is to be checked is checked by one at a time, so that nobody deletes what another has just made.
  const kept = verifies ? undefined : await slot.find({ signal });
  if (kept !== undefined) return kept;
  const release = await deps.lock.acquire(`${reembed.digest} ${ref.digest}`, signal);
  try {
    // Who held the lock before may have made it.
    const found = await slot.find({ signal, verifies });
    if (found !== undefined) return found;
    const making = { model, reembed, ref, header, slot, signal };
    const made = yield* makeBag(deps, making);
    // What stood under its name, and no pointer led to, may be damaged: it was deleted then.
    const isRight = !verifies || (await slot.find({ signal, verifies })) !== undefined;
    return isRight ? made : yield* makeBag(deps, making);
  } finally {
    release();
  }
}

interface Making {
  readonly model: LoadedModel["model"];
  readonly reembed: LoadedReembedder;
  readonly ref: BagRef;
  readonly header: BagHeader;
  readonly slot: ReembedSlot;
  readonly signal: AbortSignal;
}

async function* makeBag(
  deps: ReembedDeps,
  { model, reembed, ref, header, slot, signal }: Making,
): AsyncGenerator<ReembedProgress, BagRef, undefined> {
  const { engine, store, wholeBytes } = deps;
  const graphs = await reembed.readGraphs({ signal });
  const { sourceDigest: fileDigest } = header.metadata;
  const of = { sourceDigest: ref.digest, ...(fileDigest !== undefined && { fileDigest }) };
  const facts = { encoder: reembed.encoder, ...of, importer: REEMBED_IMPORTER };
  const taken = await takenBag(deps, model, { ref, header }, signal);
  const progress = computeAnew(taken.ref, taken.header, {
    ...{ engine, store, graphs, model, facts, signal },
    folder: slot.folder,
    ...(wholeBytes !== undefined && { wholeBytes }),
  });
  let shown = 0;
  const reembedded = yield* mapYields(progress, (nDone) => {
    shown = nDone;
    return { nDone, nTotal: ref.n };
  });
  await slot.remember(reembedded, { signal });
  if (shown < ref.n) yield { nDone: ref.n, nTotal: ref.n };
  return reembedded;
}

/** The bag, or of a model that does not take all of its tiles the one that has those that it takes. */
async function takenBag(
  { store, onThinned }: ReembedDeps,
  model: LoadedModel["model"],
  bag: StoredBag,
  signal: AbortSignal,
): Promise<StoredBag> {
  if (!model.hasUniqueCells) return bag;
  const { ref, header } = bag;
  const sides = await readSides(store, ref, header, ["coords"], signal);
  const rows = uniqueRows(model, { ...sides, metadata: header.metadata });
  if (rows === undefined) return bag;
  // Checked, so that one that was damaged is made anew instead of standing in the way of every re-embedding.
  const thinned = await thinBag(store, bag, rows, { verifies: true, signal });
  onThinned?.(thinned.droppedCount);
  return { ref: thinned.ref, header: await readBagHeader(store, thinned.ref, { signal }) };
}

function assertNotReembedded({ metadata }: BagHeader, { encoder }: LoadedReembedder): void {
  if (metadata.encoder !== encoder) return;
  throw new DomainError(
    "GEOMETRY_MISMATCH",
    `the bag is what this re-embedder made (${encoder}); it takes the original`,
  );
}
