import { createRng } from "@parfocal/metrics";
import { buildModel, countParameters, initialiseParameters, type Model, sizeOfShape } from "@parfocal/models";
import { captureGraph, layerNorm, linear, runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { attendAcrossRegions } from "../../libs/models/src/layers/cross-region-attention.ts";
import { createRegionGrid } from "../../libs/models/src/layers/region-grid.ts";
import { convolveSquare, squareConvolution } from "../../libs/models/src/layers/square-convolution.ts";
import { openGraph } from "../../libs/tensor/src/testing/run-graph.ts";
import {
  feedsOf,
  fixtureInput,
  fixtureModel,
  fixtureParameters,
  fixtureTensor,
  forwardOptions,
  gradientOptions,
  type Numbers,
  runCaptured,
  runInDouble,
  WIDTH,
} from "./r2t-fixture.ts";

type Change = Readonly<Record<string, unknown>>;

const TILE_COUNTS = [1, 2, 63, 64, 65, 1000, 4097];

function runDouble(model: Model, tiles: readonly number[], parameters: Numbers): number[] {
  const nTiles = tiles.length / model.config.dIn;
  const { y = [] } = runInDouble(forwardOptions(model, nTiles), () => feedsOf(model, { tiles, parameters }));
  return Array.from(y);
}

function runFixture(nTiles: number, change: Change = {}, parametersOf: Change = change): number[] {
  const parameters = fixtureParameters(fixtureModel(parametersOf));
  return runDouble(fixtureModel(change), fixtureInput(nTiles), parameters);
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

function swapRows(x: readonly number[], i: number, j: number, width = WIDTH): number[] {
  const rows = Array.from({ length: x.length / width }, (_, row) => x.slice(row * width, (row + 1) * width));
  [rows[i], rows[j]] = [rows[j] ?? [], rows[i] ?? []];
  return rows.flat();
}

describe("bags of at most 64 tiles in 8 x 8 regions (P1)", () => {
  const parameters = fixtureParameters(fixtureModel());

  it.each([1, 5, 64])("get nothing from CR-MSA at N = %d", (nTiles) => {
    expect(runFixture(nTiles)).toEqual(runFixture(nTiles, { crmsa: false }, {}));
  });

  it("get their own projected value from R-MSA", () => {
    const model = fixtureModel({ crmsa: false });
    const own = { ...forwardOptions(model, 64) };
    const direct = runInDouble(
      {
        ...own,
        build(tensors) {
          const named = (name: string) => tensors[`reembed.${name}`] as tf.Tensor;
          const x = tensors.tiles as tf.Tensor;
          const normed = layerNorm(x, named("regional.0.norm.weight"), named("regional.0.norm.bias"));
          const value = linear(
            normed,
            tf.slice(named("regional.0.qkv.weight"), [2 * WIDTH, 0], [WIDTH, -1]),
            tf.slice(named("regional.0.qkv.bias"), [2 * WIDTH], [WIDTH]),
          );
          const sent = linear(value, named("regional.0.proj.weight"), named("regional.0.proj.bias"));
          return { y: layerNorm(tf.add(x, sent), named("norm.weight"), named("norm.bias")) };
        },
      },
      () => feedsOf(model, { tiles: fixtureInput(64), parameters }),
    );
    expect(largestDifference(runFixture(64), Array.from(direct.y ?? []))).toBeLessThan(1e-12);
  });

  it.each([1, 2, 64])("leave every gradient finite and those of CR-MSA exactly 0 at N = %d (P15)", async (nTiles) => {
    const model = fixtureModel();
    const feeds = feedsOf(model, { tiles: fixtureInput(nTiles), parameters });
    for (const gradients of [
      runInDouble(gradientOptions(model, nTiles), () => feedsOf(model, { tiles: fixtureInput(nTiles), parameters })),
      await runCaptured(gradientOptions(model, "N"), feeds),
    ]) {
      const all = Object.entries(gradients).map(([name, values]): [string, number[]] => [name, Array.from(values)]);
      expect(all.filter(([, values]) => !values.every(Number.isFinite))).toEqual([]);
      const cross = all.filter(([name]) => name.startsWith("d.reembed.cross."));
      expect(cross).toHaveLength(7);
      for (const [, values] of cross) expect(values.every((value) => value === 0)).toBe(true);
    }
  });
});

describe("one exported graph for every N (P2)", () => {
  const CHANGES: readonly Change[] = [
    {},
    { regionNum: 4, epegKernel: 0, crmsaK: 1 },
    { regionSize: 5, nLayers: 3 },
    { minRegionNum: 64 },
    { minRegionRatio: 3, regionNum: 4 },
    { position: "peg" },
    { position: "ppeg", ffn: true },
    { compat: "corrected" },
    { compat: "corrected", regionSize: 5 },
    { compat: "corrected", grid: "coordinates" },
    { compat: "corrected", grid: "coordinates", regionSize: 5, minRegionNum: 64 },
  ];

  it.each(CHANGES)("is what a fresh capture of each N is: %j", async (change) => {
    const model = fixtureModel(change);
    const rng = createRng(5n);
    const parameters = Object.fromEntries(
      Object.entries(initialiseParameters(model.parameters, rng)).filter(([name]) => name.startsWith("reembed.")),
    );
    const run = await openGraph(captureGraph(forwardOptions(model, "N")));
    for (const nTiles of TILE_COUNTS) {
      const coords = Int32Array.from({ length: 2 * nTiles }, () => rng.nextInt(1000) * 256);
      const sides = model.sideInputs.length > 0 ? { coords } : {};
      const feeds = feedsOf(model, { tiles: fixtureInput(nTiles), parameters, ...sides });
      const { y } = await run(feeds);
      expect(y?.shape).toEqual([nTiles, WIDTH]);
      const fixed = await runCaptured(forwardOptions(model, nTiles), feeds);
      expect(largestDifference(Array.from(y?.data ?? []), Array.from(fixed.y ?? []))).toBeLessThan(2e-5);
      // Eager runs of thousands of tiles are minutes of nothing new.
      if (nTiles > 100) continue;
      const eager = runEagerly(forwardOptions(model, nTiles), feeds);
      expect(largestDifference(Array.from(y?.data ?? []), Array.from(eager.y?.data ?? []))).toBeLessThan(2e-5);
    }
  });
});

describe("two bags one after another (P8)", () => {
  it("give what each gives alone: no run holds two, and none leaves anything to the next", async () => {
    const model = fixtureModel();
    const parameters = fixtureParameters(model);
    const bags = [fixtureInput(300), fixtureInput(100).map((value) => 2 * value - 0.3)];
    const feeds = bags.map((tiles) => feedsOf(model, { tiles, parameters }));
    const options = forwardOptions(model, "N");
    const alone = await Promise.all(feeds.map(async (each) => Array.from((await runCaptured(options, each)).y ?? [])));
    const run = await openGraph(captureGraph(options));
    for (const i of [0, 1, 0]) {
      const { y } = await run(feeds[i] ?? {});
      expect(Array.from(y?.data ?? [])).toEqual(alone[i]);
    }
  });
});

describe("EPEG", () => {
  it("does not feel its bias (P3)", () => {
    const model = fixtureModel();
    const parameters = fixtureParameters(model);
    const name = "reembed.regional.0.epeg.bias";
    const moved = { ...parameters, [name]: (parameters[name] ?? []).map((value) => value + 7) };
    const tiles = fixtureInput(100);
    expect(largestDifference(runDouble(model, tiles, parameters), runDouble(model, tiles, moved))).toBeLessThan(1e-12);
  });

  it("orders the tokens of a region, which nothing else does (P4)", () => {
    const tiles = fixtureInput(256);
    const moved = (change: Change, i: number, j: number): number => {
      const model = fixtureModel(change);
      const parameters = fixtureParameters(model);
      const swapped = swapRows(runDouble(model, swapRows(tiles, i, j), parameters), i, j);
      return largestDifference(runDouble(model, tiles, parameters), swapped);
    };
    expect(moved({ epegKernel: 0 }, 0, 1)).toBeLessThan(1e-13);
    expect(moved({}, 0, 1)).toBeCloseTo(9.8e-3, 4);
    expect(moved({ epegKernel: 0 }, 0, 2)).toBeCloseTo(0.27, 2);
    expect(moved({}, 0, 2)).toBeCloseTo(0.093, 3);
  });

  it("with taps of zero is none at all (P5)", () => {
    const model = fixtureModel();
    const parameters = fixtureParameters(model);
    const zero = { ...parameters, "reembed.regional.0.epeg.weight": [0, 0, 0, 0, 0, 0] };
    const tiles = fixtureInput(100);
    expect(runDouble(model, tiles, zero)).toEqual(runDouble(fixtureModel({ epegKernel: 0 }), tiles, zero));
  });

  it("refuses a kernel without a middle (P13) and a kernel over keys", () => {
    expect(() => fixtureModel({ epegKernel: 4 })).toThrow("reembed.epegKernel is 4; it must be odd, or 0 for none");
    expect(() => fixtureModel({ epeg2d: true })).toThrow("reembed.epeg2d is true");
  });
});

describe("CR-MSA", () => {
  it("with one representative gives the weakest tile of a region nothing and the strongest all (P6)", () => {
    const [nTiles, width, nPlaces] = [256, 8, 4];
    const sent = runEagerly(
      {
        name: "cross",
        inputs: [],
        build() {
          const rows: tf.Tensor2D = tf.tensor2d(fixtureInput(nTiles, width), [nTiles, width]);
          const shapes: Record<string, number[]> = {
            ...{ "x.phi.weight": [width, 1], "x.qkv.weight": [3 * width, width], "x.qkv.bias": [3 * width] },
            ...{ "x.proj.weight": [width, width], "x.proj.bias": [width] },
          };
          const parameter = <T extends tf.Tensor>(name: string): T => {
            const shape = shapes[name] ?? [];
            return tf.tensor(fixtureTensor(sizeOfShape(shape), name.length), shape) as T;
          };
          const rule = { regionNum: 8, regionSize: 0, minRegionNum: 0, minRegionRatio: 0 };
          const grid = createRegionGrid(rows, rule, { isMasked: false });
          const same = <T extends tf.Tensor>(_site: string, x: T): T => x;
          const context = { parameter, isInference: false, dropout: same, draw: same };
          const options = { nRepresentatives: 1, heads: 2, isMlp: false, hasBias: true };
          const y = attendAcrossRegions(context, "x", { rows, grid, drop: (x) => x }, options);
          return { y, logits: tf.matMul(rows, parameter<tf.Tensor2D>("x.phi.weight")) };
        },
      },
      {},
    );
    const logits = Array.from(sent.logits?.data ?? []);
    const rows = Array.from({ length: nTiles }, (_, i) =>
      Array.from(sent.y?.data ?? []).slice(i * width, (i + 1) * width),
    );
    expect(rows).toHaveLength(256);
    for (let region = 0; region < 64; region++) {
      const places = Array.from({ length: nPlaces }, (_, p) => region * nPlaces + p);
      const [weakest = 0, ...others] = places.toSorted((a, b) => (logits[a] ?? 0) - (logits[b] ?? 0));
      const strongest = others.at(-1) ?? 0;
      expect(rows[weakest]?.every((value) => value === 0)).toBe(true);
      for (const place of others) {
        const [least = 0, own = 0, most = 0] = [weakest, place, strongest].map((i) => logits[i]);
        rows[place]?.forEach((value, c) => {
          expect(value).toBeCloseTo(((own - least) / (most - least)) * (rows[strongest]?.[c] ?? 0), 4);
        });
      }
    }
  });

  it("has 8 x 8 regions whatever R-MSA has, unless corrected (P7)", () => {
    const only = { nLayers: 1 };
    expect(runFixture(300, { ...only, regionNum: 4 }, only)).toEqual(runFixture(300, only));
    const corrected = { ...only, compat: "corrected" };
    expect(
      largestDifference(runFixture(300, { ...corrected, regionNum: 4 }, only), runFixture(300, corrected, only)),
    ).toBeGreaterThan(1e-2);
  });
});

describe("the square", () => {
  const grid = (nTiles: number, change: Partial<Parameters<typeof createRegionGrid>[1]> = {}) => {
    const rule = { regionNum: 8, regionSize: 0, minRegionNum: 0, minRegionRatio: 0, ...change };
    const made = runEagerly(
      {
        name: "grid",
        inputs: [],
        build() {
          const { nRegions, nPlaces, placement } = createRegionGrid(tf.zeros([nTiles, 1]), rule, { isMasked: false });
          return { ...placement, sizes: tf.tensor1d([nRegions, nPlaces], "int32") };
        },
      },
      {},
    );
    const list = (name: string) => Array.from(made[name]?.data ?? []);
    return { source: list("source"), place: list("place"), sizes: list("sizes") };
  };

  it.each([8, 16, 24, 104])("of side %d comes back from its regions as it was (P9)", (side) => {
    const { source, place } = grid(side * side);
    expect(place.map((at) => source[at])).toEqual(Array.from({ length: side * side }, (_, i) => i));
    expect(source.map((tile) => place[tile])).toEqual(Array.from({ length: side * side }, (_, i) => i));
  });

  it.each([
    [1, 8], [64, 8], [65, 16], [100, 16], [256, 16], [257, 24], [1000, 32], [4096, 64], [4097, 72], [9000, 96], [10_126, 104],
  ])("of %d tiles has side %d", (nTiles, side) => {
    expect(grid(nTiles).sizes).toEqual([64, (side / 8) ** 2]);
  }); // biome-ignore format: one line

  it.each([[257, 32], [4097, 80]])("of %d tiles in 16 x 16 regions has side %d", (nTiles, side) => {
    expect(grid(nTiles, { regionNum: 16 }).sizes).toEqual([256, (side / 16) ** 2]);
  }); // biome-ignore format: one line

  it("is a single region of even side for small bags and for those that would be mostly padding", () => {
    expect(grid(20, { minRegionNum: 30 }).sizes).toEqual([1, 36]);
    expect(grid(30, { minRegionNum: 30 }).sizes).toEqual([64, 1]);
    // 65 tiles make a square of 256 with 191 more: more than 65 / 0.3, less than 65 / 0.4... in both directions.
    expect(grid(65, { minRegionRatio: 0.3 }).sizes).toEqual([64, 4]);
    expect(grid(65, { minRegionRatio: 0.4 }).sizes).toEqual([1, 100]);
  });

  it("is padded behind the norm: a tile of zeros is no padding (P12)", () => {
    const model = fixtureModel();
    const parameters = fixtureParameters(model);
    const tiles = fixtureInput(99);
    const longer = runDouble(model, [...tiles, ...new Array<number>(WIDTH).fill(0)], parameters).slice(0, 99 * WIDTH);
    expect(largestDifference(longer, runDouble(model, tiles, parameters))).toBeGreaterThan(1e-4);
  });
});

describe("parameters", () => {
  const TABLE: readonly (readonly [string, number, Change, number])[] = [
    ["C16-R50", 1024, { epegKernel: 15, crmsaK: 1, allShortcut: true }, 2_696_450],
    ["C16-PLIP", 512, { epegKernel: 9, crmsaK: 3, allShortcut: true }, 2_435_282],
    ["BRCA-R50", 1024, { epegKernel: 17, crmsaK: 3, crmsaHeads: 1 }, 2_697_490],
    ["BRCA-PLIP", 512, { epegKernel: 15, crmsaK: 1, allShortcut: true }, 2_434_306],
    ["NSCLC-R50", 1024, { epegKernel: 21, crmsaK: 5 }, 2_698_546],
    ["NSCLC-PLIP", 512, { epegKernel: 13, crmsaK: 3, crmsaHeads: 1, allShortcut: true, crmsaMlp: true }, 2_499_698],
  ];
  const r2tModel = (dIn: number, change: Change) =>
    buildModel({
      dIn,
      reembed: { kind: "r2t", ...change },
      // Attention pooling of the public program: 512 -> 128 -> 1 without biases.
      head: { kind: "abmil", hidden: [], attentionWidth: 128, attentionBias: false },
      task: { kind: "binary", classes: ["no", "yes"] },
    });
  const countOf = (model: Model, prefix: string) =>
    countParameters(model.parameters.filter(({ name }) => name.startsWith(prefix)));

  it.each(TABLE)("of %s are as many as the table says (P10)", (_name, dIn, change, total) => {
    expect(countOf(r2tModel(dIn, change), "")).toBe(total);
  });

  it("of the encoder are as many as the public program counts", () => {
    const model = r2tModel(1024, {});
    expect(countOf(model, "reembed.regional.0.")).toBe(1_051_776);
    expect(countOf(model, "reembed.cross.")).toBe(1_053_184);
    expect(countOf(r2tModel(1024, { crmsaMlp: true }), "reembed.cross.")).toBe(1_117_568);
    expect(countOf(model, "reembed.") - countOf(model, "reembed.stem.")).toBe(2_105_984);
  });

  it.each([1, 3])("start as the public program's do with %d representatives (P11)", (crmsaK) => {
    const model = r2tModel(1024, { crmsaK });
    const weights = initialiseParameters(model.parameters, createRng(3n));
    const deviation = (name: string): number => {
      const values = weights[`reembed.${name}`] ?? new Float32Array();
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    const bound = 1 / Math.sqrt(crmsaK);
    expect(Math.max(...(weights["reembed.cross.phi.weight"] ?? []).map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(deviation("cross.phi.weight")).toBeCloseTo(bound / Math.sqrt(3), 1);
    // 120 draws: within a fifth of √(2 / 9k).
    expect(Math.abs(deviation("regional.0.epeg.weight") / Math.sqrt(2 / 135) - 1)).toBeLessThan(0.2);
    expect(deviation("regional.0.qkv.weight")).toBeCloseTo(0.03125, 3);
    const biases = Object.entries(weights).filter(([name]) => name.startsWith("reembed.") && name.endsWith("bias"));
    expect(biases.flatMap(([, values]) => Array.from(values)).filter((value) => value !== 0)).toEqual([]);
  });
});

describe("precision", () => {
  it.each([65, 300])("f32 stays within 1e-4 of f64 at N = %d (P14)", async (nTiles) => {
    const model = fixtureModel();
    const parameters = fixtureParameters(model);
    const tiles = fixtureInput(nTiles);
    const { y = [] } = await runCaptured(forwardOptions(model, "N"), feedsOf(model, { tiles, parameters }));
    expect(largestDifference(Array.from(y), runDouble(model, tiles, parameters))).toBeLessThan(1e-4);
  });
});

describe("convolutions over the square give the numbers of the public program (G21)", () => {
  it.each([
    ["peg", 10, 51.82234471],
    ["peg", 60, 309.48128741],
    ["ppeg", 10, 48.31329726],
    ["ppeg", 60, 700.50919175],
  ] as const)("%s, N = %d", (kind, nTiles, sum) => {
    const width = 4;
    const { y = [] } = runInDouble(
      {
        name: kind,
        inputs: [],
        build() {
          const parameter = <T extends tf.Tensor>(name: string): T => {
            const [, i = "0", part] = name.split(".");
            const size = [7, 5, 3][Number(i)] ?? 0;
            const shape = part === "bias" ? [width] : [width, 1, size, size];
            const t = 2 * Number(i) + (part === "bias" ? 0 : 1);
            return tf.tensor(fixtureTensor(sizeOfShape(shape), t), shape) as T;
          };
          const tiles: tf.Tensor2D = tf.tensor2d(fixtureInput(nTiles, width), [nTiles, width]);
          const same = <T extends tf.Tensor>(_site: string, x: T): T => x;
          const context = { parameter, isInference: false, dropout: same, draw: same };
          return { y: convolveSquare(context, "position", tiles, squareConvolution(kind, 7, false)) };
        },
      },
      () => ({}),
    );
    expect(Array.from(y).reduce((total, value) => total + Math.abs(value), 0)).toBeCloseTo(sum, 7);
  });
});
