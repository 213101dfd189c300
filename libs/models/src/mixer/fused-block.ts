import {
  attentionGradients,
  groupSize,
  layerNorm,
  layerNormGradients,
  linear,
  maskedAttention,
  multiHeadAttention,
  scanBlocks,
  swishProduct,
  swishProductGradients,
  tf,
} from "@parfocal/tensor";

// Legend: B sequences, G of them at a time, S tokens of each, Q of them that ask, W width, h inner width.

/** Weights of a block in the order in which the operation takes them. */
const PARTS = [
  ...["norm1.weight", "norm1.bias", "qkv.weight", "qkv.bias", "out.weight", "out.bias"],
  ...["norm2.weight", "norm2.bias", "gate.weight", "up.weight", "down.weight"],
] as const;

/** The tokens that ask, for a last block of which only some are wanted. */
export interface Queries {
  readonly first: number;
  readonly count: number;
}

/** How a block attends. */
interface FusedBlockOptions {
  readonly heads: number;
  readonly queries: Queries;
  /** i32 `[B, S]`. */
  readonly isPresent?: tf.Tensor2D;
}

interface BlockWeights {
  readonly norm1: readonly [tf.Tensor, tf.Tensor];
  readonly query: Layer;
  readonly key: Layer;
  readonly value: Layer;
  readonly out: Layer;
  readonly norm2: readonly [tf.Tensor, tf.Tensor];
  readonly gate: tf.Tensor;
  readonly up: tf.Tensor;
  readonly down: tf.Tensor;
}

interface Layer {
  readonly weight: tf.Tensor;
  readonly bias: tf.Tensor;
}

/**
 * The block of `applyMixerBlock` without dropout as one differentiable operation, `[B, S, W]` -> `[B, Q, W]`. Both ways it goes
 * through a few sequences at a time, so that everything between the matrix products is as large as they are; gradients of the
 * weights add up on the way. Kept for the gradient: inputs, queries, keys, values, what attention gave, the middle, gate and up.
 */
export function fusedMixerBlock(
  tokens: tf.Tensor3D,
  parameter: (name: string) => tf.Tensor,
  options: FusedBlockOptions,
): tf.Tensor3D {
  const run = tf.customGrad((...args) => {
    const save = args.at(-1) as unknown as tf.GradSaveFunc;
    const [x, ...weights] = args.slice(0, -1) as tf.Tensor[] as [tf.Tensor3D, ...tf.Tensor[]];
    const [value, ...between] = forward(x, weightsOf(weights), options);
    // What is not saved is gone when the gradient is asked for, the mask too.
    save([x, ...weights, ...between, ...(options.isPresent ? [options.isPresent] : [])]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      if (options.isPresent === undefined) return backward(dy as tf.Tensor3D, saved, options);
      const isPresent = saved.at(-1) as tf.Tensor2D;
      return backward(dy as tf.Tensor3D, saved.slice(0, -1), { ...options, isPresent });
    };
    return { value: value as tf.Tensor3D, gradFunc };
  });
  return run(tokens, ...PARTS.map(parameter)) as tf.Tensor3D;
}

/** The parts of a block's weights; queries, keys and values are thirds of one matrix. */
function weightsOf(weights: readonly tf.Tensor[]): BlockWeights {
  const [g1, b1, qkv, qkvBias, out, outBias, g2, b2, gate, up, down] = weights as unknown as FixedWeights;
  const [matrices, biases] = [tf.split(qkv, 3), tf.split(qkvBias, 3)];
  const third = (i: number): Layer => ({ weight: matrices[i] as tf.Tensor, bias: biases[i] as tf.Tensor });
  return {
    norm1: [g1, b1],
    ...{ query: third(0), key: third(1), value: third(2) },
    out: { weight: out, bias: outBias },
    norm2: [g2, b2],
    ...{ gate, up, down },
  };
}

type FixedWeights = readonly [
  ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
  ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
];

/** Rows of a step: with twice as many, what lies between the products leaves a core's cache. */
const ROWS_AT_A_TIME = 800;

/** A block that takes G sequences at a time. */
interface GroupOptions extends FusedBlockOptions {
  /** G. */
  readonly size: number;
}

/** Sequences in groups of G, the rows of a group end to end: `[B, n, C]` as `[B/G, G·n, C]`. */
function grouped(x: tf.Tensor, size: number): tf.Tensor {
  const [nSequences = 0, nRows = 0, width = 0] = x.shape;
  return tf.reshape(x, [nSequences / size, size * nRows, width]);
}

/** What to go through, with the masks of its groups `[B/G, G, S]` if there are any. */
function scanned(tensors: readonly tf.Tensor[], { isPresent, size }: GroupOptions): tf.Tensor[] {
  if (isPresent === undefined) return [...tensors];
  const [nSequences, nTokens] = isPresent.shape;
  return [...tensors, tf.reshape(isPresent, [nSequences / size, size, nTokens])];
}

/** The last of the blocks as a mask `[G, S]`, if there is one. */
function maskOf(blocks: readonly tf.Tensor[], { isPresent }: FusedBlockOptions): { readonly isPresent?: tf.Tensor } {
  return isPresent === undefined ? {} : { isPresent: blocks.at(-1) as tf.Tensor };
}

/** Rows `[G·n, C]` as sequences `[G, n, C]`. */
function sequencesOf(x: tf.Tensor, size: number): tf.Tensor {
  const [nRows = 0, width = 0] = x.shape;
  return tf.reshape(x, [size, nRows / size, width]);
}

/** Of the rows `[G·S, C]` those that ask, `[G·Q, C]`. */
function askingRows(x: tf.Tensor, { queries: { first, count }, size }: GroupOptions): tf.Tensor {
  const [nRows = 0, width = 0] = x.shape;
  if (count * size === nRows) return x;
  return tf.reshape(tf.slice(sequencesOf(x, size), [0, first, 0], [-1, count, -1]), [size * count, width]);
}

/** Rows that ask `[G·Q, C]` back among all `[G·S, C]`, zeros elsewhere. */
function amongAll(x: tf.Tensor, nRows: number, { queries: { first, count }, size }: GroupOptions): tf.Tensor {
  if (count * size === nRows) return x;
  const after = nRows / size - first - count;
  return tf.reshape(
    tf.pad(sequencesOf(x, size), [
      [0, 0],
      [first, after],
      [0, 0],
    ]),
    [nRows, -1],
  );
}

/** Value `[B, Q, W]`, then queries, keys and values, attended rows and middle in groups `[B/G, G·.., W]`, gate and up `[B/G, h, G·Q]`. */
function forward(x: tf.Tensor3D, weights: BlockWeights, how: FusedBlockOptions): tf.Tensor[] {
  const { heads, queries } = how;
  const [nSequences, nTokens, width] = x.shape;
  const size = groupSize(nSequences, ROWS_AT_A_TIME / nTokens);
  const options = { ...how, size };
  const { stacked } = scanBlocks(scanned([grouped(x, size)], options), (blocks) => {
    const tokens = blocks[0] as tf.Tensor; // [G·S, W]
    const normed = layerNorm(tokens, ...weights.norm1);
    const apply = (input: tf.Tensor, { weight, bias }: Layer) => linear(input, weight, bias);
    const asked = apply(askingRows(normed, options), weights.query); // [G·Q, W]
    const [key, given] = [apply(normed, weights.key), apply(normed, weights.value)]; // [G·S, W]
    const [q, k, v] = [asked, key, given].map((t) => sequencesOf(t, size)) as Three;
    const { isPresent } = maskOf(blocks, options);
    const mixed =
      isPresent === undefined ? multiHeadAttention(q, k, v, { heads }) : maskedAttention(q, k, v, isPresent, { heads });
    const middle = tf.add(askingRows(tokens, options), apply(tf.reshape(mixed, [-1, width]), weights.out));
    const inner = layerNorm(middle, ...weights.norm2);
    // What is wide is turned, so that no product of the gradient reads it against its order; what is turned back is narrow.
    const [gate, up] = [tf.matMul(weights.gate, inner, false, true), tf.matMul(weights.up, inner, false, true)]; // [h, G·Q]
    const value = tf.add(middle, tf.transpose(tf.matMul(weights.down, swishProduct(gate, up))));
    return { stacked: [value, asked, key, given, mixed, middle, gate, up] };
  });
  const [value, ...between] = stacked as [tf.Tensor, ...tf.Tensor[]];
  return [tf.reshape(value, [nSequences, queries.count, width]), ...between];
}

type NineTensors = readonly [...Three, ...Three, ...Three];
type Three = [tf.Tensor, tf.Tensor, tf.Tensor];

/** Gradients by the tokens and by every weight, in the order of {@link PARTS}. */
function backward(dy: tf.Tensor3D, saved: readonly tf.Tensor[], how: FusedBlockOptions): tf.Tensor[] {
  const x = saved[0] as tf.Tensor3D;
  const weights = weightsOf(saved.slice(1, 1 + PARTS.length));
  const between = saved.slice(1 + PARTS.length);
  const size = groupSize(x.shape[0], ROWS_AT_A_TIME / x.shape[1]);
  const options = { ...how, size };
  const blocks = scanned([grouped(dy, size), grouped(x, size), ...between], options);
  const turned = [weights.gate, weights.up, weights.down].map((x) => tf.transpose(x)) as Three;
  const { stacked, summed } = scanBlocks(blocks, (group) => backwardOne(group, { ...weights, turned }, options));
  const [g1, b1, ...others] = summed as [tf.Tensor, tf.Tensor, ...tf.Tensor[]];
  const [matrices, biases] = [tf.concat(others.slice(0, 3)), tf.concat(others.slice(3, 6))]; // [3W, W], [3W]
  const down = tf.transpose(others.at(-1) as tf.Tensor);
  return [tf.reshape(stacked[0] as tf.Tensor, x.shape), g1, b1, matrices, biases, ...others.slice(6, -1), down];
}

/** A block's weights, and `gate`, `up` and `down` transposed. */
interface TurnedWeights extends BlockWeights {
  readonly turned: Three;
}

/** One group of {@link backward}; the gradient by `down` comes transposed. */
function backwardOne(blocks: readonly tf.Tensor[], weights: TurnedWeights, options: GroupOptions) {
  const [dy, tokens, query, key, value, attended, middle, gate, up] = blocks as NineTensors;
  const { heads, size } = options;
  const [nRows = 0, width = 0] = tokens.shape;
  const inner = layerNorm(middle, ...weights.norm2);
  const [gateTurned, upTurned, downTurned] = weights.turned;
  const { value: product, gradients } = swishProductGradients(tf.matMul(downTurned, dy, false, true), gate, up);
  const [dGate, dUp] = gradients; // [h, G·Q]
  const dInner = tf.transpose(tf.add(tf.matMul(gateTurned, dGate), tf.matMul(upTurned, dUp))); // [G·Q, W]
  const [byMiddle, g2, b2] = layerNormGradients(dInner, [middle, ...weights.norm2]);
  const dMiddle = tf.add(dy, byMiddle);
  const dAttended = tf.matMul(dMiddle, weights.out.weight);
  const [q, k, v, upstream] = [query, key, value, dAttended].map((t) => sequencesOf(t, size)) as [...Three, tf.Tensor];
  const slopes = attentionGradients(upstream, {
    ...{ query: q, key: k, value: v, heads },
    ...maskOf(blocks, options),
  });
  const [dQuery, dKey, dValue] = slopes.map((t) => tf.reshape(t, [-1, width])) as Three;
  const normed = layerNorm(tokens, ...weights.norm1);
  const byQuery = amongAll(tf.matMul(dQuery, weights.query.weight), nRows, options);
  const byKeys = tf.add(tf.matMul(dKey, weights.key.weight), tf.matMul(dValue, weights.value.weight));
  const dNormed = tf.add(byKeys, byQuery); // [G·S, W]
  const [byTokens, g1, b1] = layerNormGradients(dNormed, [tokens, ...weights.norm1]);
  const dx = tf.add(amongAll(dMiddle, nRows, options), byTokens);
  const asking = askingRows(normed, options);
  const by = (slope: tf.Tensor, input: tf.Tensor) => tf.matMul(slope, input, true); // [O, I]
  const layers = [by(dQuery, asking), by(dKey, normed), by(dValue, normed)];
  const biases = [dQuery, dKey, dValue].map((t) => tf.sum(t, 0));
  const out = [by(dMiddle, tf.reshape(attended, [-1, width])), tf.sum(dMiddle, 0)];
  const inside = [tf.matMul(dGate, inner), tf.matMul(dUp, inner), tf.matMul(product, dy)];
  return { stacked: [dx], summed: [g1, b1, ...layers, ...biases, ...out, g2, b2, ...inside] };
}
