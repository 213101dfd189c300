import { type BagHeader, type BagMetadata, type BagRef, readBagHeader } from "@parfocal/bags";
import type { TensorSource } from "@parfocal/engine";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import type { Model, SideInput } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import type { BagSourceFacts } from "./job.ts";

/** A bag as the engine takes it: where its tensors lie, not their bytes. */
export interface BagInput {
  readonly n: number;
  /** Feeds by the names of `bagPorts`. */
  readonly feeds: Readonly<Record<string, TensorSource>>;
  readonly metadata: BagMetadata;
}

/** Headers read at the same time: enough to hide a store's latency, few enough for its rate limits. */
const MAX_CONCURRENT_HEADERS = 16;

/**
 * Reads where the tensors of `ref` lie and checks that `model` can take them.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both widths, or when the model needs coordinates that the bag has not;
 * what the store throws.
 */
export async function readBagInput(
  store: ObjectStore,
  ref: BagRef,
  model: Model,
  signal?: AbortSignal,
): Promise<BagInput> {
  assertBagFits(model, ref);
  const header = await readBagHeader(store, ref, signal ? { signal } : {});
  const sides = model.sideInputs.map((name): [string, TensorSource] => [name, sideSource(ref, header, name)]);
  return {
    n: header.n,
    feeds: { features: featureSource(ref, header), ...Object.fromEntries(sides) },
    metadata: header.metadata,
  };
}

/** {@link readBagInput} of many bags in their order, a bounded number at a time. The first failure ends it. */
export async function readBagInputs(
  store: ObjectStore,
  refs: readonly BagRef[],
  model: Model,
  signal?: AbortSignal,
): Promise<BagInput[]> {
  const inputs = new Array<BagInput>(refs.length);
  const queue = refs.entries();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    try {
      for (const [i, ref] of queue) {
        if (hasFailed) return;
        assertNotAborted(signal);
        inputs[i] = await readBagInput(store, ref, model, signal);
      }
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  };
  const workers = Array.from({ length: Math.min(MAX_CONCURRENT_HEADERS, refs.length) }, work);
  const outcomes = await Promise.allSettled(workers);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return inputs;
}

/** Scanners at one nominal magnification differ by a few per cent; the next magnification is a factor of 2 away. */
const MPP_TOLERANCE = 0.1;

/**
 * Checks that two sources of bags are alike. What either does not say is taken to agree.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both encoders, both tile sizes, or both resolutions when they differ by
 * more than 10 %.
 */
export function assertSourceFits(expected: BagSourceFacts, found: BagSourceFacts): void {
  for (const field of ["encoder", "tilePx", "mpp"] as const) {
    const [wanted, value] = [expected[field], found[field]];
    if (wanted === undefined || value === undefined || areAlike(wanted, value, field)) continue;
    const message = `the ${field} of the bag is ${value}, that of the other bags or of the model ${wanted}`;
    throw new DomainError("GEOMETRY_MISMATCH", message, {
      details: { field, expected: `${wanted}`, found: `${value}` },
    });
  }
}

function areAlike(a: string | number, b: string | number, field: keyof BagSourceFacts): boolean {
  if (field !== "mpp") return a === b;
  return Math.abs(Number(a) - Number(b)) <= MPP_TOLERANCE * Number(a);
}

/** @throws {DomainError} `EMPTY_BAG`; `GEOMETRY_MISMATCH` naming both widths, or missing coordinates. */
function assertBagFits(model: Model, ref: BagRef): void {
  if (ref.n < 1) throw new DomainError("EMPTY_BAG", `the bag has ${ref.n} tiles; it needs at least 1`);
  if (ref.d !== model.config.dIn) {
    throw new DomainError(
      "GEOMETRY_MISMATCH",
      `the bag has ${ref.d} features per tile; the model takes ${model.config.dIn}`,
    );
  }
  if (!model.sideInputs.includes("coords") || ref.hasCoords) return;
  throw new DomainError("GEOMETRY_MISMATCH", "the bag has no coordinates; the model needs them");
}

function featureSource(ref: BagRef, { etag, features }: BagHeader): TensorSource {
  const dtype = features.dtype === "F16" ? "f16" : "f32";
  return { ...objectOf(ref, etag), offsetBytes: features.offsetBytes, dtype, shape: features.shape };
}

function sideSource(ref: BagRef, { etag, coords }: BagHeader, name: SideInput): TensorSource {
  if (coords === undefined) throw new DomainError("GEOMETRY_MISMATCH", `the bag has no ${name}; the model needs them`);
  return { ...objectOf(ref, etag), offsetBytes: coords.offsetBytes, dtype: "i32", shape: coords.shape };
}

/** The bag's object, whose digest the engine checks before it uses any of it. */
function objectOf({ key, digest, sizeBytes }: BagRef, etag: string) {
  return { kind: "object", key, etag, verify: { digest, sizeBytes } } as const;
}
