import { tf } from "@parfocal/tensor";
import { lossShares } from "../mixer/level-weights.ts";
import { splitTokens } from "../mixer/masking.ts";
import type { PretrainInput, PretrainModel } from "../mixer/pretraining.ts";
import { tokenLevels } from "../mixer/token-layout.ts";
import { sizeOfShape } from "../parameter.ts";
import { doubleFiller } from "./eager-model.ts";
import { fillerValue } from "./filler.ts";
import { double } from "./in-doubles.ts";

/** Numbers of a batch of views, by the names of the graph's inputs. */
export interface PretrainNumbers {
  readonly tokens: readonly number[];
  readonly kept: readonly number[];
  readonly removed: readonly number[];
  readonly shares: readonly number[];
  readonly keptPresent: readonly number[];
  readonly removedPresent: readonly number[];
  readonly slides: readonly number[];
  /** With drop-path every third branch of a view is left out. */
  readonly paths: readonly number[];
}

/** Views from the specifications' filler; of view v the tokens `missing[v]` are not there. */
export function pretrainNumbers(
  model: PretrainModel,
  nViews: number,
  missing: readonly number[][] = [],
): PretrainNumbers {
  const { nTokens, config } = model;
  const levels = tokenLevels(config.mixer).map((level) => config.mixer.levels.indexOf(level));
  const views = Array.from({ length: nViews }, (_, v) => {
    const isPresent = levels.map((_level, t) => !missing[v]?.includes(t));
    const uniforms = levels.map((_level, t) => fillerValue(t, 40 + v));
    const { kept, removed } = splitTokens(uniforms, config.masked.removalRatio, isPresent);
    const counts = config.mixer.levels.map(
      (_level, m) => levels.filter((level, t) => level === m && isPresent[t]).length,
    );
    const own = removed.map((token) => levels[token] ?? 0);
    const shares = lossShares(own, counts, config.masked.weighting);
    const features = doubleFiller(nTokens * config.dIn, 60 + v, 2);
    const tokens = features.map((value, i) => (isPresent[Math.floor(i / config.dIn)] ? value : 0));
    return { tokens, kept, removed, shares };
  });
  const padded = (values: readonly number[], size: number) => [
    ...values,
    ...new Array<number>(size - values.length).fill(0),
  ];
  const ones = (values: readonly number[], size: number) =>
    padded(
      values.map(() => 1),
      size,
    );
  return {
    tokens: views.flatMap(({ tokens }) => tokens),
    kept: views.flatMap(({ kept }) => padded(kept, model.nKept)),
    removed: views.flatMap(({ removed }) => padded(removed, model.nRemoved)),
    shares: views.flatMap(({ shares }) => padded(shares, model.nRemoved)),
    keptPresent: views.flatMap(({ kept }) => ones(kept, model.nKept)),
    removedPresent: views.flatMap(({ removed }) => ones(removed, model.nRemoved)),
    slides: views.map((_view, v) => v >> 1),
    paths: views.flatMap((_view, v) =>
      model.paths.map(({ probability }, i) => ((v + i) % 3 === 0 ? 0 : 1 / (1 - probability))),
    ),
  };
}

/** The views as tensors; only inside `inDoubles`. */
export function pretrainInput(model: PretrainModel, numbers: PretrainNumbers, isRagged: boolean): PretrainInput {
  const { nTokens, nKept, nRemoved, config } = model;
  const nViews = numbers.slides.length;
  const integers = (values: readonly number[], n: number) => tf.tensor2d([...values], [nViews, n], "int32");
  return {
    tokens: double(numbers.tokens, [nViews, nTokens, config.dIn]),
    kept: integers(numbers.kept, nKept),
    removed: integers(numbers.removed, nRemoved),
    shares: double(numbers.shares, [nViews, nRemoved]),
    ...(isRagged && {
      keptPresent: integers(numbers.keptPresent, nKept),
      removedPresent: integers(numbers.removedPresent, nRemoved),
    }),
    ...(model.paths.length > 0 && { paths: double<tf.Tensor2D>(numbers.paths, [nViews, model.paths.length]) }),
    ...(config.contrastive?.dropSameSlideNegatives && { slides: tf.tensor1d([...numbers.slides], "int32") }),
  };
}

/** Values of the parameters from the filler: scales of norms near 1. */
export function pretrainWeights(model: PretrainModel): Record<string, number[]> {
  const entries = model.parameters.map(({ name, shape }, i): [string, number[]] => {
    const values = doubleFiller(sizeOfShape(shape), 300 + i, 0.6);
    return [name, /norm\d?\.weight$/iu.test(name) ? values.map((value) => 1 + value) : values];
  });
  return Object.fromEntries(entries);
}
