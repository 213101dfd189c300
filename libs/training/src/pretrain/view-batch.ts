import { createRegionTokens, gatherTokensInto, type RegionSource } from "@parfocal/bags";
import type { HostTensor, TensorSource } from "@parfocal/engine";
import { lossShares, type PretrainModel, tokenLevels } from "@parfocal/models";
import type { View } from "./draw-views.ts";

// Legend: V views, N tokens of each, K kept, M removed, D features; a view with missing tiles has fewer and is filled up.

/** Element type in which features go to the engine: halves where all bags have halves. */
export type FeatureType = "f32" | "f16";

/** A view with where it was taken from. */
export interface SourcedView extends View {
  readonly source: RegionSource;
  /** Number of the slide. */
  readonly slide: number;
}

/** Views as a graph takes them. */
export interface ViewBatch {
  readonly nViews: number;
  /** Whether any view misses a tile, so that the ragged graph must run. */
  readonly isRagged: boolean;
  /** `[V]`, the number of each view's slide. */
  readonly slides: readonly number[];
  /** By the names of `pretrainPorts`. */
  readonly feeds: Readonly<Record<string, TensorSource>>;
}

/** Packs views into the tensors of a graph. */
export function packViews(model: PretrainModel, views: readonly SourcedView[], featureType: FeatureType): ViewBatch {
  const isRagged = views.some(({ isPresent }) => isPresent !== undefined);
  const { kept, removed } = packPlaces(model, views);
  const { dropSameSlideNegatives = false } = model.config.contrastive ?? {};
  const tensors = {
    tokens: packTokens(model, views, featureType),
    kept: kept.places,
    removed: removed.places,
    shares: packShares(model, views),
    ...(isRagged && { keptPresent: kept.present, removedPresent: removed.present }),
    ...(views.some(({ paths }) => paths !== undefined) && { paths: packPaths(model, views) }),
    ...(dropSameSlideNegatives && {
      slides: integers(
        [views.length],
        Int32Array.from(views, ({ slide }) => slide),
      ),
    }),
  };
  const feeds = Object.entries(tensors).map(([name, tensor]) => [name, { kind: "inline", tensor }] as const);
  return { nViews: views.length, isRagged, slides: views.map(({ slide }) => slide), feeds: Object.fromEntries(feeds) };
}

/** `[V, N, D]`, zeros at missing tiles. */
function packTokens({ nTokens, config }: PretrainModel, views: readonly SourcedView[], dtype: FeatureType): HostTensor {
  const size = nTokens * config.dIn;
  const values = dtype === "f16" ? new Uint16Array(views.length * size) : new Float32Array(views.length * size);
  const present = new Uint8Array(nTokens);
  views.forEach(({ source, reads }, v) => {
    const tokens = values.subarray(v * size, (v + 1) * size);
    if ((source.dtype === "F16") === (dtype === "f16")) gatherTokensInto(source, { tokens, present }, reads);
    else tokens.set(widened(source, reads));
  });
  return { dtype, shape: [views.length, nTokens, config.dIn], data: bytesOf(values) };
}

/** Tokens of a bag of halves for a batch of floats. */
function widened(source: RegionSource, reads: Int32Array): Float16Array {
  const halves = createRegionTokens(reads.length, source);
  gatherTokensInto(source, halves, reads);
  return new Float16Array(halves.tokens.buffer);
}

/** Kept `[V, K]` and removed `[V, M]` places, with which of them are there. */
function packPlaces({ nKept, nRemoved }: PretrainModel, views: readonly View[]) {
  const pack = (width: number, placesOf: (view: View) => readonly number[]) => {
    const [places, present] = [new Int32Array(views.length * width), new Int32Array(views.length * width)];
    views.forEach((view, v) => {
      places.set(placesOf(view), v * width);
      present.fill(1, v * width, v * width + placesOf(view).length);
    });
    const shape = [views.length, width];
    return { places: integers(shape, places), present: integers(shape, present) };
  };
  return { kept: pack(nKept, ({ split }) => split.kept), removed: pack(nRemoved, ({ split }) => split.removed) };
}

/** `[V, M]`: what each removed token takes in its view's loss. */
function packShares({ config, nTokens, nRemoved }: PretrainModel, views: readonly View[]): HostTensor {
  const { levels } = config.mixer;
  const levelOf = tokenLevels(config.mixer).map((level) => levels.indexOf(level));
  const shares = new Float32Array(views.length * nRemoved);
  views.forEach(({ split, isPresent }, v) => {
    const counts = levels.map(() => 0);
    for (let place = 0; place < nTokens; place++) {
      const level = levelOf[place] ?? 0;
      counts[level] = (counts[level] ?? 0) + (isPresent?.[place] ?? 1);
    }
    const removed = split.removed.map((place) => levelOf[place] ?? 0);
    shares.set(lossShares(removed, counts, config.masked.weighting), v * nRemoved);
  });
  return { dtype: "f32", shape: [views.length, nRemoved], data: bytesOf(shares) };
}

/** `[V, B]`: what each view's branches are multiplied by. */
function packPaths({ paths: { length } }: PretrainModel, views: readonly View[]): HostTensor {
  const factors = Float32Array.from(views.flatMap(({ paths = [] }) => paths));
  return { dtype: "f32", shape: [views.length, length], data: bytesOf(factors) };
}

function integers(shape: readonly number[], values: Int32Array): HostTensor {
  return { dtype: "i32", shape, data: bytesOf(values) };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
