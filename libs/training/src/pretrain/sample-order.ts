import type { Rng } from "@parfocal/metrics";

/**
 * Everything random about the samples of a pretraining, by their number k from 0. Counter based: what sample k is depends on
 * the seed and k alone, so that a pretraining goes on anywhere as if it had never stopped.
 */
export interface SampleOrder {
  /** The region of sample k: of every `nRegions` samples in a row, a pass, each region is one, in an order of that pass. */
  regionOf(sample: number): number;
  /** The stream that crops, turns and masks of sample k draw from. */
  streamOf(sample: number): Rng;
}

/** Orders kept: passes meet within a batch, and the loader is ahead. */
const KEPT_ORDERS = 2;

/** The samples of a pretraining on `nRegions` (at least 1) regions. 4 bytes a region for each of two passes. */
export function createSampleOrder(rng: Rng, nRegions: number): SampleOrder {
  const orders = new Map<number, Uint32Array>();
  const orderOf = (pass: number): Uint32Array => {
    const known = orders.get(pass);
    if (known !== undefined) return known;
    const order = rng.fork(`regions of pass ${pass}`).shuffle(Uint32Array.from({ length: nRegions }, (_, i) => i));
    for (const old of orders.keys()) if (orders.size >= KEPT_ORDERS) orders.delete(old);
    orders.set(pass, order);
    return order;
  };
  return {
    regionOf: (sample) => orderOf(Math.floor(sample / nRegions))[sample % nRegions] ?? 0,
    streamOf: (sample) => rng.fork(`sample ${sample}`),
  };
}
