import { describe, expect, it } from "vitest";
import {
  feedsOf,
  fixtureInput,
  fixtureModel,
  fixtureParameters,
  forwardOptions,
  gradientOptions,
  type Numbers,
  runCaptured,
  runInDouble,
  WIDTH,
} from "./r2t-fixture.ts";

/** [name, tiles, change of the configuration, Σ|y|, first three features of the first and of the last tile]. */
type Check = readonly [string, number, Readonly<Record<string, unknown>>, number, readonly number[], readonly number[]];

const SMALL = [-1.46021842, -1.69915767, -1.76409024];

const CHECKS: readonly Check[] = [
  ["G1", 1, {}, 19.6460699478, SMALL, SMALL],
  ["G2", 5, {}, 98.5160558125, SMALL, [-1.20758414, -1.48557203, -1.65720301]],
  ["G3", 64, {}, 1215.9607360003, SMALL, [-0.91547465, -1.52560169, -2.00253225]],
  ["G4", 65, {}, 1197.6266037662, [-1.78887378, -1.61705677, -1.26085549], [-0.28453644, -1.20316786, -1.99647103]],
  ["G5", 100, {}, 1833.1983649085, [-1.793184, -1.6269122, -1.27523099], [-1.12638095, -1.43686996, -1.79093519]],
  ["G6", 257, {}, 4760.2532506587, [-1.80256829, -1.64849651, -1.30703206], [-0.86497845, -1.76015353, -1.68597084]],
  ["G7", 300, {}, 5572.1216394727, [-1.80562347, -1.65656358, -1.31925886], [-1.08948478, -1.78178155, -1.79890005]],
  ["G8", 300, { regionNum: 4 }, 5638.9279517283, [-1.82233347, -1.69972159, -1.38590168], [-1.19161183, -1.80560954, -1.82377056]], // biome-ignore format: one line
  ["G9", 300, { regionNum: 16 }, 5596.400990473, [-1.81975766, -1.6851792, -1.36175296], [-1.18808433, -1.78339238, -1.82331393]], // biome-ignore format: one line
  ["G10", 300, { crmsaK: 1 }, 5476.0669456874, [-1.51842136, -1.72492583, -1.75634597], [-1.67290544, -1.93229066, -1.61557575]], // biome-ignore format: one line
  ["G11", 300, { crmsaK: 5, epegKernel: 9 }, 5581.3420873056, [-1.82468394, -1.79953606, -1.57614834], [-1.08968801, -1.84044679, -1.79744557]], // biome-ignore format: one line
  ["G12", 300, { crmsaMlp: true }, 4369.5044597593, [-0.05083336, -0.38373086, -0.71151219], [0.4728962, -0.25450883, -0.44750056]], // biome-ignore format: one line
  ["G13", 300, { allShortcut: true }, 5510.4381038297, [-1.82759153, -1.62421907, -1.25356826], [-0.89435093, -1.87777071, -1.73348533]], // biome-ignore format: one line
  ["G14", 300, { crmsaHeads: 1 }, 5547.623106501, [-1.7933022, -1.62577468, -1.27324824], [-1.09716491, -1.78712827, -1.80095969]], // biome-ignore format: one line
  ["G15", 300, { regionSize: 5 }, 5638.9279517283, [-1.82233347, -1.69972159, -1.38590168], [-1.19161183, -1.80560954, -1.82377056]], // biome-ignore format: one line
  ["G16", 300, { epegKernel: 0 }, 5316.5422802176, [2.01681563, 1.66503571, 1.12418995], [2.07987609, 1.68223717, 1.19124129]], // biome-ignore format: one line
  ["G17", 300, { crmsa: false }, 4916.1604773506, [-1.48676672, -1.30757760, -1.01948747], [-1.33655729, -1.64919599, -1.34870877]], // biome-ignore format: one line
];

function sumOfMagnitudes(y: ArrayLike<number>): number {
  return Array.from(y).reduce((sum, value) => sum + Math.abs(value), 0);
}

function expectCheck(y: ArrayLike<number>, [, nTiles, , sum, first, last]: Check, digits: number): void {
  expect(y.length).toBe(nTiles * WIDTH);
  expect(sumOfMagnitudes(y) / sum).toBeCloseTo(1, digits);
  const end = (nTiles - 1) * WIDTH;
  for (const i of [0, 1, 2]) {
    expect(y[i]).toBeCloseTo(first[i] ?? Number.NaN, Math.min(digits, 7));
    expect(y[end + i]).toBeCloseTo(last[i] ?? Number.NaN, Math.min(digits, 7));
  }
}

function valuesOf(nTiles: number, change: Readonly<Record<string, unknown>>) {
  const model = fixtureModel(change);
  return { model, tiles: fixtureInput(nTiles), parameters: fixtureParameters(model) };
}

describe("the cosine fixture gives the numbers of the public program", () => {
  it.each(CHECKS)("%s in f64, N = %d, %j", (...check) => {
    const { model, ...values } = valuesOf(check[1], check[2]);
    const { y = [] } = runInDouble(forwardOptions(model, check[1]), () => feedsOf(model, values));
    // Sums are given to 10 decimals; f64 leaves 12 digits of them, elements are given to 8 decimals.
    expectCheck(y, check, 11);
  });

  it.each(CHECKS)("%s captured, in f32, N = %d, %j", async (...check) => {
    const { model, ...values } = valuesOf(check[1], check[2]);
    const { y = [] } = await runCaptured(forwardOptions(model, "N"), feedsOf(model, values));
    expectCheck(y, check, 5);
  });
});

/** G18, at the configuration of G7. */
const SLOPES = {
  "d.reembed.cross.phi.weight": [-20.54943713, -19.52123754],
  "d.reembed.regional.0.epeg.weight": [
    ...[-62.9011986, -60.48667381, -27.29423047],
    ...[-62.8221484, -68.7225545, -27.69201084],
  ],
  "d.reembed.regional.0.qkv.weight": [-7.47034649, -8.28551428, 2.92494679],
} as const;
const SLOPE_SUM = 134_843.8227969958;

function expectSlopes(gradients: Numbers, tolerance: number): void {
  for (const [name, expected] of Object.entries(SLOPES)) {
    expected.forEach((value, i) => void expect((gradients[name]?.[i] ?? Number.NaN) / value).toBeCloseTo(1, tolerance));
  }
  const all = Object.entries(gradients).filter(([name]) => name.startsWith("d."));
  const sum = all.reduce((total, [, values]) => total + sumOfMagnitudes(values), 0);
  expect(sum / SLOPE_SUM).toBeCloseTo(1, tolerance);
  for (const value of Array.from(gradients["d.reembed.regional.0.epeg.bias"] ?? [Number.NaN]))
    expect(Math.abs(value)).toBe(0);
}

describe("the gradients of the sum of cubes are those of the public program (G18)", () => {
  const { model, ...values } = valuesOf(300, {});

  it("in f64", () => {
    expectSlopes(
      runInDouble(gradientOptions(model, 300), () => feedsOf(model, values)),
      8,
    );
  });

  it("captured, in f32", async () => {
    expectSlopes(await runCaptured(gradientOptions(model, "N"), feedsOf(model, values)), 4);
  });
});
