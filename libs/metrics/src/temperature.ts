/**
 * Temperature scaling: one number T that softens (T > 1) or sharpens (T < 1) a model's probabilities and leaves their order.
 *
 * Works on probabilities, as `p^(1/T)` normalised: equal to dividing the logits by T, because a softmax forgets what is added
 * to all of its logits; a sigmoid is the softmax of `[1 - p, p]`.
 * Source: Guo, Pleiss, Sun & Weinberger 2017. Differs: a one-dimensional Newton search kept inside a bracket, not L-BFGS.
 */
import { DomainError } from "@parfocal/errors";
import { assertClassLabels, assertRows } from "./one-vs-rest.ts";

/** A fitted temperature. */
export interface TemperatureFit {
  /** In [1/20, 20]. */
  readonly temperature: number;
  /** Mean negative log-likelihood (nats) of the fitting cases before and after. */
  readonly lossBefore: number;
  readonly lossAfter: number;
  readonly nCases: number;
}

/** Where the search for 1 / T ends. */
const BETA_BOUNDS = [1 / 20, 20] as const;
/** Probabilities below count as this one: its logarithm is finite. */
const LEAST = 1e-30;
const MAX_STEPS = 100;

/**
 * The temperature that makes `labels` `[N]` (class indices) most likely under `probabilities` `[N][K]`, which must be those of
 * validation cases. The loss is convex in 1 / T, so the minimum is the only one. A model that knows less than nothing gets 20.
 *
 * Null where there is no minimum to find: without cases, with one class only, or when every case is decided rightly, so
 * that any sharper T would do. Leave the probabilities as they are then.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input.
 */
export function fitTemperature(
  probabilities: readonly (readonly number[])[],
  labels: readonly number[],
): TemperatureFit | null {
  const nClasses = probabilities[0]?.length ?? 0;
  assertRows(probabilities, labels.length, nClasses);
  assertClassLabels(labels, nClasses);
  if (new Set(labels).size < 2) return null;
  const cases = probabilities.map((row, i) => ({ logs: row.map(safeLog), label: labels[i] ?? 0 }));
  const beta = minimum((at) => slopes(cases, at));
  if (beta === null) return null;
  return {
    temperature: 1 / beta,
    lossBefore: slopes(cases, 1).loss,
    lossAfter: slopes(cases, beta).loss,
    nCases: labels.length,
  };
}

/**
 * `row` `[K]` (probabilities that sum to 1) at a temperature: `[K]`, summing to 1, in the same order of size.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless the temperature is above 0.
 */
export function temper(row: readonly number[], temperature: number): number[] {
  if (!(temperature > 0))
    throw new DomainError("INVALID_ARGUMENT", `temperature is ${temperature}; it must be above 0`);
  return softmax(row.map((p) => safeLog(p) / temperature)).weights;
}

interface LogCase {
  /** Logarithms of the probabilities. */
  readonly logs: readonly number[];
  readonly label: number;
}

interface Slopes {
  readonly loss: number;
  /** First and second derivative of the loss by 1 / T. */
  readonly first: number;
  readonly second: number;
}

function slopes(cases: readonly LogCase[], beta: number): Slopes {
  let [loss, first, second] = [0, 0, 0];
  for (const { logs, label } of cases) {
    const { weights, logSum } = softmax(logs.map((value) => beta * value));
    const mean = weights.reduce((sum, weight, k) => sum + weight * (logs[k] ?? 0), 0);
    loss += logSum - beta * (logs[label] ?? 0);
    first += mean - (logs[label] ?? 0);
    second += weights.reduce((sum, weight, k) => sum + weight * ((logs[k] ?? 0) - mean) ** 2, 0);
  }
  const n = cases.length;
  return { loss: loss / n, first: first / n, second: second / n };
}

/** The zero of a rising slope by Newton, by halving where that would leave the bracket; null when it lies beyond the top. */
function minimum(at: (beta: number) => Slopes): number | null {
  let [low, high]: [number, number] = [...BETA_BOUNDS];
  if (at(high).first <= 0) return null;
  if (at(low).first >= 0) return low;
  let beta = 1;
  for (let step = 0; step < MAX_STEPS && high - low > Number.EPSILON * high; step += 1) {
    const { first, second } = at(beta);
    if (first === 0) return beta;
    if (first < 0) low = beta;
    else high = beta;
    const next = beta - first / second;
    const isInside = next > low && next < high;
    if (isInside && Math.abs(next - beta) <= Number.EPSILON * beta) return next;
    beta = isInside ? next : (low + high) / 2;
  }
  return beta;
}

function softmax(logits: readonly number[]): { readonly weights: number[]; readonly logSum: number } {
  const greatest = Math.max(...logits);
  const terms = logits.map((value) => Math.exp(value - greatest));
  const sum = terms.reduce((total, term) => total + term, 0);
  return { weights: terms.map((term) => term / sum), logSum: greatest + Math.log(sum) };
}

function safeLog(p: number): number {
  return Math.log(Math.max(p, LEAST));
}
