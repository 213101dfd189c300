import type { RegionSource } from "@parfocal/bags";
import type { HostTensor, TensorSource } from "@parfocal/engine";
import { buildPretrainModel } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import type { View } from "./draw-views.ts";
import { packViews } from "./view-batch.ts";

const D = 2;
const MODEL = buildPretrainModel({ dIn: D, mixer: { regionTiles: 1, levelCount: 2 }, masked: { removalRatio: 0.6 } });

/** Five tokens whose features are `10 t` and `10 t + 1`; those of `missing` are not there. */
function sourceOf(dtype: "F16" | "F32", missing: readonly number[] = []): RegionSource {
  const numbers = Array.from({ length: 5 * D }, (_, k) => 10 * Math.floor(k / D) + (k % D));
  const values = dtype === "F32" ? Float32Array.from(numbers) : Float16Array.from(numbers);
  const run = Int16Array.from({ length: 5 }, (_, token) => (missing.includes(token) ? -1 : 0));
  const rowBytes = values.byteLength / 5;
  const offsetBytes = Uint32Array.from({ length: 5 }, (_, token) => token * rowBytes);
  return { d: D, dtype, runs: [new Uint8Array(values.buffer)], run, offsetBytes };
}

function viewOf(kept: number[], removed: number[], missing: number[] = []): View {
  const isPresent = Uint8Array.from({ length: 5 }, (_, place) => Number(!missing.includes(place)));
  return { reads: Int32Array.of(0, 2, 1, 4, 3), ...(missing.length > 0 && { isPresent }), split: { kept, removed } };
}

function tensorOf(source: TensorSource | undefined): HostTensor {
  if (source?.kind !== "inline") throw new Error("not inline");
  return source.tensor;
}

function integersOf(source: TensorSource | undefined): number[] {
  return [...new Int32Array(new Uint8Array(tensorOf(source).data).buffer)];
}

function floatsOf(source: TensorSource | undefined): number[] {
  const { data, dtype } = tensorOf(source);
  const { buffer } = new Uint8Array(data);
  return [...(dtype === "f16" ? new Float16Array(buffer) : new Float32Array(buffer))];
}

describe("packed views", () => {
  const whole = { ...viewOf([1, 4], [0, 2, 3]), slide: 7 };

  it.each([
    ["F32", "f32"],
    ["F16", "f16"],
    ["F16", "f32"],
  ] as const)("hold the features of %s bags as %s, as the view reads them", (dtype, type) => {
    const { feeds, isRagged, slides } = packViews(MODEL, [{ ...whole, source: sourceOf(dtype) }], type);
    expect(tensorOf(feeds.tokens)).toMatchObject({ dtype: type, shape: [1, 5, D] });
    expect(floatsOf(feeds.tokens)).toEqual([0, 1, 20, 21, 10, 11, 40, 41, 30, 31]);
    expect([integersOf(feeds.kept), integersOf(feeds.removed)]).toEqual([
      [1, 4],
      [0, 2, 3],
    ]);
    expect({ isRagged, slides }).toEqual({ isRagged: false, slides: [7] });
    expect(feeds.keptPresent).toBeUndefined();
  });

  it("weigh every magnification the same", () => {
    const { feeds } = packViews(MODEL, [{ ...whole, source: sourceOf("F32") }], "f32");
    // One coarse and four fine tiles: weights 2.5 and 0.625, over three removed ones.
    expect(floatsOf(feeds.shares)).toEqual([2.5, 0.625, 0.625].map((weight) => Math.fround(weight / 3)));
  });

  it("fill up what missing tiles leave empty, and give it no share", () => {
    const ragged = { ...viewOf([2], [0, 4], [1, 3]), source: sourceOf("F32", [2, 4]), slide: 0 };
    const { feeds, isRagged } = packViews(MODEL, [{ ...whole, source: sourceOf("F32") }, ragged], "f32");
    expect(isRagged).toBe(true);
    expect(floatsOf(feeds.tokens).slice(10)).toEqual([0, 1, 0, 0, 10, 11, 0, 0, 30, 31]);
    expect(integersOf(feeds.kept)).toEqual([1, 4, 2, 0]);
    expect(integersOf(feeds.keptPresent)).toEqual([1, 1, 1, 0]);
    expect(integersOf(feeds.removedPresent)).toEqual([1, 1, 1, 1, 1, 0]);
    // Three tiles are there, of two magnifications with one and two: weights 1.5 and 0.75, over two removed ones.
    expect(floatsOf(feeds.shares).slice(3)).toEqual([0.75, 0.375, 0]);
  });

  it("of three magnifications have the weights that the specification gives", () => {
    const model = buildPretrainModel({ dIn: D, mixer: { regionTiles: 3, levelCount: 3 } });
    const places = Array.from({ length: 189 }, (_, place) => place);
    const split = { kept: places.slice(0, 94), removed: places.slice(94) };
    const removedFirst = { kept: places.slice(95), removed: places.slice(0, 95) };
    const run = new Int16Array(189).fill(-1);
    const source = { d: D, dtype: "F32", runs: [], run, offsetBytes: new Uint32Array(189) } as const;
    const views = [split, removedFirst].map((each) => ({
      reads: Int32Array.from(places),
      split: each,
      source,
      slide: 0,
    }));
    const shares = floatsOf(packViews(model, views, "f32").feeds.shares).map((share) => share * 95);
    expect(shares[0]).toBeCloseTo(0.4375, 6);
    expect(shares[95]).toBeCloseTo(7, 5);
    expect(shares[95 + 9]).toBeCloseTo(1.75, 6);
  });
});
