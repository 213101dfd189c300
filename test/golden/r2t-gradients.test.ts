import { createRng } from "@parfocal/metrics";
import { buildModel, initialiseParameters, type Model } from "@parfocal/models";
import { type ConstantTensor, captureGraph, runEagerly } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { runGraph } from "../../libs/tensor/src/testing/run-graph.ts";
import { gradStepBuild } from "../../libs/training/src/step-graphs.ts";
import { feedsOf, fixtureInput, fixtureModel, gradientOptions, runInDouble } from "./r2t-fixture.ts";

type Change = Readonly<Record<string, unknown>>;

const N_TILES = 70;
/** Central differences in f64 err by about step² times the third derivative. */
const STEP = 1e-5;
const DIFFERENCE_TOLERANCE = 1e-6;

/** All of them smooth: a difference across the kink of a ReLU is no slope. */
const CHANGES: readonly Change[] = [
  {},
  { crmsaMlp: true, allShortcut: true, regionNum: 4 },
  { ffn: true, nLayers: 3, qkvBias: false, epegKernel: 0 },
  { position: "peg", position1d: true, positionPlace: "second", nLayers: 3 },
  { position: "ppeg", ffn: true },
  { stemWidth: 8, stemActivation: "gelu", regionSize: 3 },
  { compat: "corrected" },
  { compat: "corrected", grid: "coordinates", regionSize: 3 },
];

/** Values of every parameter of the re-embedder, in f64 from f32 draws; biases and norms too are drawn. */
function drawParameters(model: Model): Record<string, number[]> {
  const rng = createRng(17n);
  const weights = initialiseParameters(model.parameters, rng);
  return Object.fromEntries(
    Object.entries(weights)
      .filter(([name]) => name.startsWith("reembed."))
      .map(([name, values]) => [name, Array.from(values, (x) => x + 0.2 * (rng.nextFloat() - 0.5))]),
  );
}

function coordsOf(model: Model): { coords?: Int32Array } {
  const rng = createRng(23n);
  const draw = () => Int32Array.from({ length: 2 * N_TILES }, () => rng.nextInt(12) * 256);
  return model.sideInputs.length > 0 ? { coords: draw() } : {};
}

describe("gradients of R2T are its slopes", () => {
  it.each(CHANGES)("along a direction for each parameter, %j", (change) => {
    const model = fixtureModel(change);
    const parameters = drawParameters(model);
    const values = { tiles: fixtureInput(N_TILES), ...coordsOf(model) };
    const options = gradientOptions(model, N_TILES);
    const at = (moved: Record<string, number[]>) =>
      runInDouble(options, () => feedsOf(model, { ...values, parameters: moved }));
    const gradients = at(parameters);
    const rng = createRng(29n);
    for (const [name, value] of Object.entries(parameters)) {
      const direction = value.map(() => rng.normal());
      const lossAt = (step: number) =>
        at({ ...parameters, [name]: value.map((x, i) => x + step * (direction[i] ?? 0)) }).loss?.[0] ?? Number.NaN;
      const slope = (lossAt(STEP) - lossAt(-STEP)) / (2 * STEP);
      const gradient = Array.from(gradients[`d.${name}`] ?? []);
      const along = gradient.reduce((sum, x, i) => sum + x * (direction[i] ?? 0), 0);
      const size = Math.hypot(...gradient) + 1;
      expect(Math.abs(along - slope) / size, name).toBeLessThan(DIFFERENCE_TOLERANCE);
    }
  });
});

describe("a captured training step of R2T with its head is the eager step", () => {
  const TRAINED: readonly Change[] = [
    {},
    { dropPath: 0.3, ffn: true, ffnActivation: "relu", nLayers: 3, crmsaMlp: true },
    { compat: "corrected", regionSize: 3 },
    { compat: "corrected", minRegionNum: 20, regionNum: 4 },
    { compat: "corrected", grid: "coordinates" },
  ];

  it.each(TRAINED)("every dropout drawn, %j", async (change) => {
    const model = buildModel({
      dIn: 6,
      reembed: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, epegKernel: 5, dropout: 0.3, ...change },
      head: { kind: "gated-abmil", hidden: [4], attentionWidth: 3 },
      task: { kind: "binary", classes: ["no", "yes"] },
    });
    expect(model.dropoutSites.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["reembed.stem", "reembed.cross.proj"]),
    );
    const options = gradStepBuild(model, false);
    const rng = createRng(31n);
    const feeds = Object.fromEntries(
      options.inputs.map(({ name, dtype, shape }): [string, ConstantTensor & { dtype: "f32" | "i32" }] => {
        const sizes = shape.map((dim) => (dim === "N" ? N_TILES : Number(dim)));
        const length = sizes.reduce((product, size) => product * size, 1);
        const data =
          dtype === "f32"
            ? Float32Array.from({ length }, () => rng.nextFloat() - 0.4)
            : Int32Array.from({ length }, () => (dtype === "u16" ? rng.nextInt(65_536) : rng.nextInt(40) * 256));
        return [name, { dtype: dtype === "f32" ? "f32" : "i32", shape: sizes, data }];
      }),
    );
    const words = options.inputs.filter(({ dtype }) => dtype === "u16").map(({ name }) => name);
    const wired = Object.entries(feeds).map(([name, feed]) =>
      words.includes(name)
        ? [name, { ...feed, dtype: "u16" as const, data: Uint16Array.from(feed.data) }]
        : [name, feed],
    );
    const captured = await runGraph(captureGraph(options), Object.fromEntries(wired) as Parameters<typeof runGraph>[1]);
    const eager = runEagerly(options, feeds);
    for (const name of ["loss", "next.gradients"]) {
      const expected = Array.from(eager[name]?.data ?? []);
      expect(expected.length).toBeGreaterThan(0);
      expect(expected.every(Number.isFinite)).toBe(true);
      const scale = Math.max(...expected.map(Math.abs));
      const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - Number(captured[name]?.data[i]))), 0);
      expect(worst / scale, name).toBeLessThan(2e-5);
    }
  });
});
