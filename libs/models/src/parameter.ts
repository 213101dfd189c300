import { DomainError } from "@parfocal/errors";
import { orthogonalValues } from "./orthogonal.ts";

/** How a parameter is filled before training. */
export type Initialiser =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "constant"; readonly value: number }
  /** Uniform in [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  /** Rows (or columns, if there are more rows) that are orthonormal: a normal matrix made so; needs a rank of at least 2. */
  | { readonly kind: "orthogonal" }
  /** Normal of mean 0. */
  | { readonly kind: "normal"; readonly std: number };

/** One named tensor of a model. */
export interface ParameterSpec {
  /** Dotted path, unique in the model: `head.attention.v.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initialiser;
  /** Whether decoupled weight decay applies: true for matrices, false for biases, norms and position codes. */
  readonly decay: boolean;
  /** False for tensors that are fitted, not trained (standardisation). */
  readonly isTrainable: boolean;
}

/** The values of a model's parameters by name, row-major f32. */
export type Weights = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** The schemes by which linear layers are filled. */
export const LINEAR_SCHEMES = ["torch", "xavier-uniform", "xavier-normal", "kaiming-uniform", "orthogonal"] as const;

/** See {@link linearParameters}. */
export type LinearScheme = (typeof LINEAR_SCHEMES)[number];

/** What initialisation draws from: a seeded generator that can give every parameter a stream of its own. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  nextFloat(): number;
  /** Standard normal. */
  normal(): number;
  /** A stream that depends on the seed and `label` alone. */
  fork(label: string): RandomSource;
}

/** Number of elements of a shape. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/**
 * The parameters `<name>.weight` `[O, I]` and `<name>.bias` `[O]` of a linear layer.
 *
 * Schemes: `torch` (default everywhere) draws weight and bias from U(-1/sqrt(I), 1/sqrt(I)), which is what the public
 * attention-pooling programs train from; `xavier-uniform` U(±sqrt(6/(I+O))), `xavier-normal` N(0, 2/(I+O)) and
 * `kaiming-uniform` U(±sqrt(6/I)) all leave the bias at zero, and so does `orthogonal`, whose rows are orthonormal.
 */
export function linearParameters(
  name: string,
  layer: { readonly nIn: number; readonly nOut: number; readonly scheme?: LinearScheme; readonly hasBias?: boolean },
): ParameterSpec[] {
  const { nIn, nOut, scheme = "torch", hasBias = true } = layer;
  const bias: Initialiser = scheme === "torch" ? { kind: "uniform", bound: 1 / Math.sqrt(nIn) } : { kind: "zeros" };
  const weight = weightInitialiser(scheme, nIn, nOut);
  const specs: ParameterSpec[] = [
    { name: `${name}.weight`, shape: [nOut, nIn], init: weight, decay: true, isTrainable: true },
  ];
  if (hasBias) specs.push({ name: `${name}.bias`, shape: [nOut], init: bias, decay: false, isTrainable: true });
  return specs;
}

function weightInitialiser(scheme: LinearScheme, nIn: number, nOut: number): Initialiser {
  switch (scheme) {
    case "torch":
      return { kind: "uniform", bound: 1 / Math.sqrt(nIn) };
    case "xavier-uniform":
      return { kind: "uniform", bound: Math.sqrt(6 / (nIn + nOut)) };
    case "xavier-normal":
      return { kind: "normal", std: Math.sqrt(2 / (nIn + nOut)) };
    case "kaiming-uniform":
      return { kind: "uniform", bound: Math.sqrt(6 / nIn) };
    case "orthogonal":
      return { kind: "orthogonal" };
  }
}

/** The parameters `<name>.weight` (ones) and `<name>.bias` (zeros) `[W]` of a layer norm. */
export function normParameters(name: string, width: number): ParameterSpec[] {
  const common = { shape: [width], decay: false, isTrainable: true };
  return [
    { name: `${name}.weight`, init: { kind: "ones" }, ...common },
    { name: `${name}.bias`, init: { kind: "zeros" }, ...common },
  ];
}

/**
 * Fresh values for every parameter. Each draws from its own fork of `rng` labelled with its name, so adding a layer
 * leaves the others' values unchanged. Deterministic.
 */
export function initialiseParameters(specs: readonly ParameterSpec[], rng: RandomSource): Weights {
  return Object.fromEntries(specs.map((spec) => [spec.name, initialValues(spec, rng.fork(spec.name))]));
}

function initialValues({ shape, init }: ParameterSpec, rng: RandomSource): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sizeOfShape(shape));
  switch (init.kind) {
    case "zeros":
      return values;
    case "ones":
      return values.fill(1);
    case "constant":
      return values.fill(init.value);
    case "uniform":
      return values.map(() => (2 * rng.nextFloat() - 1) * init.bound);
    case "orthogonal":
      return orthogonalValues(shape, () => rng.normal());
    case "normal":
      return values.map(() => rng.normal() * init.std);
  }
}

/** How many numbers training adjusts. */
export function countParameters(specs: readonly ParameterSpec[]): number {
  return specs.filter((spec) => spec.isTrainable).reduce((sum, spec) => sum + sizeOfShape(spec.shape), 0);
}

/**
 * Checks that `weights` holds exactly the parameters of `specs`, each of its size and finite.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` naming the parameter and both sizes; `NON_FINITE` naming parameter and place.
 */
export function assertWeightsFit(specs: readonly ParameterSpec[], weights: Weights): void {
  for (const { name, shape } of specs) {
    const values = weights[name];
    if (values === undefined) throw new DomainError("SHAPE_MISMATCH", `weights lack the parameter ${name}`);
    if (values.length !== sizeOfShape(shape)) {
      const message = `parameter ${name} has ${values.length} values; its shape [${shape.join(", ")}] needs ${sizeOfShape(shape)}`;
      throw new DomainError("SHAPE_MISMATCH", message);
    }
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new DomainError("NON_FINITE", `parameter ${name} is ${values[bad]} at position ${bad}`);
  }
  const names = new Set(specs.map((spec) => spec.name));
  const other = Object.keys(weights).find((name) => !names.has(name));
  if (other !== undefined) throw new DomainError("SHAPE_MISMATCH", `weights hold ${other}, which the model has not`);
}
