import { type ConfigObject, type ConfigReader, createConfigReader } from "@parfocal/models";

/** How parameters move; every field has a value. */
export type OptimiserConfig = (MomentsConfig | SgdConfig) & {
  /** Around the rule; absent: none. */
  readonly lookahead?: LookaheadConfig;
};

/** Rules that keep two moments of the gradients. */
export interface MomentsConfig {
  /** `adam`: L2 added to the gradient, of every parameter. `adamw` and `radam`: decoupled decay, of matrices alone. */
  readonly kind: "adam" | "adamw" | "radam";
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Momentum without dampening or Nesterov's look-ahead; L2 added to the gradient, of every parameter. */
export interface SgdConfig {
  readonly kind: "sgd";
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly momentum: number;
}

/** Slow weights that follow the fast ones of another rule. */
export interface LookaheadConfig {
  /** Updates between two times that the slow weights follow: k. */
  readonly steps: number;
  /** Share of the way to the fast weights that they go, above 0 to 1. */
  readonly alpha: number;
}

/**
 * Reads an optimiser's configuration. Defaults: AdamW, 1e-4, decay 1e-5, betas 0.9 and 0.999, epsilon 1e-8; momentum 0.9; no lookahead,
 * or with an empty one 6 steps and 0.5.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field.
 */
export function parseOptimiser(json: ConfigObject): OptimiserConfig {
  const reader = createConfigReader(json, "optimiser");
  const kind = reader.choice("kind", ["adam", "adamw", "sgd", "radam"], "adamw");
  // The smallest positive double: zero would train nothing and is refused.
  const learningRate = reader.number("learningRate", { min: Number.MIN_VALUE, max: 10, fallback: 1e-4 });
  const weightDecay = reader.number("weightDecay", { min: 0, max: 1, fallback: 1e-5 });
  const lookahead = parseLookahead(reader.optionalObject("lookahead"));
  const config: OptimiserConfig = {
    ...(kind === "sgd"
      ? { kind, learningRate, weightDecay, momentum: readBeta(reader, "momentum", 0.9) }
      : { kind, learningRate, weightDecay, ...readMoments(reader) }),
    ...(lookahead && { lookahead }),
  };
  reader.assertNoOthers();
  return config;
}

/** An optimiser as JSON that {@link parseOptimiser} reads back. */
export function optimiserJson({ lookahead, ...rule }: OptimiserConfig): ConfigObject {
  return { ...rule, ...(lookahead && { lookahead: { ...lookahead } }) };
}

function readMoments(reader: ConfigReader): Pick<MomentsConfig, "beta1" | "beta2" | "epsilon"> {
  return {
    beta1: readBeta(reader, "beta1", 0.9),
    beta2: readBeta(reader, "beta2", 0.999),
    epsilon: reader.number("epsilon", { min: 1e-16, max: 1, fallback: 1e-8 }),
  };
}

function readBeta(reader: ConfigReader, name: string, fallback: number): number {
  return reader.number(name, { min: 0, max: 0.999999, fallback });
}

function parseLookahead(json: ConfigObject | undefined): LookaheadConfig | undefined {
  if (json === undefined) return undefined;
  const reader = createConfigReader(json, "optimiser.lookahead");
  const config = {
    steps: reader.number("steps", { min: 1, max: 10_000, isInteger: true, fallback: 6 }),
    // Zero would move nothing and is refused.
    alpha: reader.number("alpha", { min: Number.MIN_VALUE, max: 1, fallback: 0.5 }),
  };
  reader.assertNoOthers();
  return config;
}
