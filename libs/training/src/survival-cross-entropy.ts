/**
 * Survival in discrete time as cross entropy of who lives past an interval. Legend: K bins of time, one logit z each; hazard
 * h = sigmoid(z); survival S_k = Π_{j ≤ k} (1 - h_j); y the bin of the event or of censoring; targets t and weights w `[K]` of
 * `encodeSurvivalTarget`: of an event t is 1 in y alone and w 1 up to y, of a censored patient t is 0 and w 1 - alpha up to y.
 *
 * The loss is `(1 - alpha) (-ln(1 - S_y)) + alpha (-ln S_{y-1} - ln h_y)` of an event and `-(1 - alpha) ln S_y` of a censored patient, the
 * variant `ce_surv` of the public slide-level programs. They clamp probabilities; here 1 - S_y is the sum of S_{j-1} h_j over
 * j ≤ y in logarithms, so loss and gradient are finite for every finite logit.
 */
import { sigmoidCrossEntropy, tf } from "@parfocal/tensor";
import { logSumExp, softplus } from "./host-math.ts";

/** Takes bins that come after the event out of a sum in logarithms. */
const NEVER = -1e30;

/** What is known of a bag: targets and weights, each `[K]`. */
interface Told<T> {
  readonly targets: T;
  readonly weights: T;
}

/** The loss of one bag's logits `[K]` in a graph. */
export function survivalCrossEntropy(
  logits: tf.Tensor1D,
  { targets, weights }: Told<tf.Tensor1D>,
  alpha: number,
): tf.Scalar {
  const isEvent = tf.sum(targets);
  const likelihoods = tf.sum(tf.mul(weights, sigmoidCrossEntropy(logits, targets)));
  const share = tf.sub(1, tf.mul(isEvent, 1 - alpha));
  const weight = tf.mul(tf.sum(tf.mul(weights, targets)), 1 - alpha);
  return tf.sub(tf.mul(likelihoods, share), tf.mul(weight, logDeath(logits, targets)));
}

/** ln(1 - S_y) of an event, a very low number of a censored patient. */
function logDeath(logits: tf.Tensor1D, targets: tf.Tensor1D): tf.Scalar {
  const size = logits.shape[0];
  // [j, i] 1 where i < j, [j, i] 1 where i ≥ j: sums over the bins before j, and whether the event comes in j or later.
  const before = triangle(size, (j, i) => i < j);
  const until = triangle(size, (j, i) => i >= j);
  const sumOf = (rows: tf.Tensor2D, x: tf.Tensor) => tf.reshape(tf.matMul(rows, tf.reshape(x, [size, 1])), [size]);
  const zeros = tf.zerosLike(logits);
  const lived = sumOf(before, sigmoidCrossEntropy(logits, zeros)); // -ln S_{j-1}
  const came = sigmoidCrossEntropy(tf.neg(logits), zeros); // -ln h_j
  const mask = tf.mul(tf.sub(1, sumOf(until, targets)), NEVER);
  return tf.logSumExp(tf.sub(mask, tf.add(lived, came)));
}

function triangle(size: number, isIn: (row: number, column: number) => boolean): tf.Tensor2D {
  const values = Float32Array.from({ length: size * size }, (_, k) => Number(isIn(Math.floor(k / size), k % size)));
  return tf.tensor2d(values, [size, size]);
}

/** {@link survivalCrossEntropy} in f64 on the host, with its gradient by the logits `[K]`. */
export function hostSurvivalCrossEntropy(
  logits: readonly number[],
  { targets, weights }: Told<readonly number[]>,
  alpha: number,
): { readonly loss: number; readonly gradient: readonly number[] } {
  const y = targets.findIndex((target) => target > 0);
  const share = y < 0 ? 1 : alpha;
  const logHazards = logits.map((z) => -softplus(-z));
  const likelihood = (z: number, k: number) => (weights[k] ?? 0) * (softplus(z) - (targets[k] ?? 0) * z);
  const slope = (k: number) => (weights[k] ?? 0) * (Math.exp(logHazards[k] ?? 0) - (targets[k] ?? 0));
  const likelihoods = logits.reduce((sum, z, k) => sum + likelihood(z, k), 0);
  const slopes = logits.map((_, k) => share * slope(k));
  if (y < 0) return { loss: likelihoods, gradient: slopes };
  const weight = (1 - alpha) * (weights[y] ?? 0);
  const died = hostLogDeath(logits.slice(0, y + 1), logHazards);
  // d ln(1 - S_y) / dz_k = S_y h_k / (1 - S_y).
  const gradient = slopes.map((value, k) => {
    return k > y ? value : value - weight * Math.exp(died.logSurvival + (logHazards[k] ?? 0) - died.logDeath);
  });
  return { loss: share * likelihoods - weight * died.logDeath, gradient };
}

/** ln(1 - S_y) and ln S_y from the logits of the bins up to y. */
function hostLogDeath(
  logits: readonly number[],
  logHazards: readonly number[],
): { readonly logDeath: number; readonly logSurvival: number } {
  let logSurvival = 0;
  const terms = logits.map((z, j) => {
    const term = logSurvival + (logHazards[j] ?? 0);
    logSurvival -= softplus(z);
    return term;
  });
  return { logDeath: logSumExp(terms), logSurvival };
}
