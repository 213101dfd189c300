import {
  attentionGradients,
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

// Legend: B sequences, S tokens of each, Q of them that ask, W width, h inner width.

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
 * The block of `applyMixerBlock` without dropout as one differentiable operation, `[B, S, W]` -> `[B, Q, W]`. Both ways it goes sequence
 * after sequence, so that everything between the matrix products is as large as one sequence; products of whole batches are
 * left for the gradients of the weights. Kept for the gradient: inputs, queries, keys, values, what attention gave, the middle, gate and up.
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

/** The sequences to go through, with their masks if they have any. */
function scanned(tensors: readonly tf.Tensor[], { isPresent }: FusedBlockOptions): tf.Tensor[] {
  return isPresent === undefined ? [...tensors] : [...tensors, isPresent];
}

/** The last of the blocks as a mask `[1, S]`, if there is one. */
function maskOf(blocks: readonly tf.Tensor[], { isPresent }: FusedBlockOptions): { readonly isPresent?: tf.Tensor } {
  return isPresent === undefined ? {} : { isPresent: tf.expandDims(blocks.at(-1) as tf.Tensor, 0) };
}

/** Rows of one sequence that ask. */
function askingRows(x: tf.Tensor, { queries: { first, count } }: FusedBlockOptions): tf.Tensor {
  return count === x.shape[0] ? x : tf.slice(x, [first, 0], [count, -1]);
}

/** Rows that ask back among all `[S, W]`, zeros elsewhere. */
function amongAll(x: tf.Tensor, nTokens: number, { queries: { first, count } }: FusedBlockOptions): tf.Tensor {
  return count === nTokens ? x : tf.pad(x, [[first, nTokens - first - count], [0, 0]]); // biome-ignore format: one line
}

/** Value, queries, keys and values, attended rows, middle, gate and up, each `[B, ..]`. */
function forward(x: tf.Tensor3D, weights: BlockWeights, options: FusedBlockOptions): tf.Tensor[] {
  const { heads } = options;
  const { stacked } = scanBlocks(scanned([x], options), (blocks) => {
    const tokens = blocks[0] as tf.Tensor; // [S, W]
    const normed = layerNorm(tokens, ...weights.norm1);
    const apply = (input: tf.Tensor, { weight, bias }: Layer) => linear(input, weight, bias);
    const asked = apply(askingRows(normed, options), weights.query); // [Q, W]
    const [key, given] = [apply(normed, weights.key), apply(normed, weights.value)]; // [S, W]
    const [q, k, v] = [asked, key, given].map((t) => tf.expandDims(t, 0)) as Three;
    const { isPresent } = maskOf(blocks, options);
    const mixed =
      isPresent === undefined ? multiHeadAttention(q, k, v, { heads }) : maskedAttention(q, k, v, isPresent, { heads });
    const attended = tf.squeeze(mixed, [0]); // [Q, W]
    const middle = tf.add(askingRows(tokens, options), apply(attended, weights.out));
    const inner = layerNorm(middle, ...weights.norm2);
    const [gate, up] = [linear(inner, weights.gate), linear(inner, weights.up)]; // [Q, h]
    const value = tf.add(middle, linear(swishProduct(gate, up), weights.down));
    return { stacked: [value, asked, key, given, attended, middle, gate, up] };
  });
  return [...stacked];
}

type NineTensors = readonly [...Three, ...Three, ...Three];
type Three = [tf.Tensor, tf.Tensor, tf.Tensor];

/** Gradients by the tokens and by every weight, in the order of {@link PARTS}. */
function backward(dy: tf.Tensor3D, saved: readonly tf.Tensor[], options: FusedBlockOptions): tf.Tensor[] {
  const x = saved[0] as tf.Tensor3D;
  const weights = weightsOf(saved.slice(1, 1 + PARTS.length));
  const between = saved.slice(1 + PARTS.length);
  const { stacked, summed } = scanBlocks(scanned([dy, x, ...between], options), (blocks) =>
    backwardOne(blocks, weights, options),
  );
  const [dx, dQuery, dKey, dValue, normed, asking, dMiddle, inner, dGate, dUp, product] = stacked as tf.Tensor[];
  const [g1, b1, queryBias, keyBias, valueBias, outBias, g2, b2] = summed as tf.Tensor[];
  const attended = between[3];
  const by = (slope: tf.Tensor | undefined, input: tf.Tensor | undefined) =>
    tf.matMul(rowsOf(slope), rowsOf(input), true); // [O, I]
  return [
    dx as tf.Tensor,
    ...([g1, b1] as tf.Tensor[]),
    tf.concat([by(dQuery, asking), by(dKey, normed), by(dValue, normed)]),
    tf.concat([queryBias, keyBias, valueBias] as tf.Tensor[]),
    by(dMiddle, attended),
    ...([outBias, g2, b2] as tf.Tensor[]),
    ...[by(dGate, inner), by(dUp, inner), by(dy, product)],
  ];
}

/** `[B, n, C]` as `[B·n, C]`. */
function rowsOf(x: tf.Tensor | undefined): tf.Tensor2D {
  const tensor = x as tf.Tensor3D;
  return tf.reshape(tensor, [-1, tensor.shape[2]]);
}

/** One sequence of {@link backward}. */
function backwardOne(blocks: readonly tf.Tensor[], weights: BlockWeights, options: FusedBlockOptions) {
  const [dy, tokens, query, key, value, , middle, gate, up] = blocks as NineTensors;
  const nTokens = tokens.shape[0] ?? 0;
  const inner = layerNorm(middle, ...weights.norm2);
  const { value: product, gradients } = swishProductGradients(tf.matMul(dy, weights.down), gate, up);
  const [dGate, dUp] = gradients; // [Q, h]
  const dInner = tf.add(tf.matMul(dGate, weights.gate), tf.matMul(dUp, weights.up)); // [Q, W]
  const [byMiddle, g2, b2] = layerNormGradients(dInner, [middle, ...weights.norm2]);
  const dMiddle = tf.add(dy, byMiddle);
  const dAttended = tf.matMul(dMiddle, weights.out.weight);
  const [q, k, v, upstream] = [query, key, value, dAttended].map((t) => tf.expandDims(t, 0)) as [...Three, tf.Tensor];
  const slopes = attentionGradients(upstream, {
    ...{ query: q, key: k, value: v, heads: options.heads },
    ...maskOf(blocks, options),
  });
  const [dQuery, dKey, dValue] = slopes.map((t) => tf.squeeze(t, [0])) as Three;
  const normed = layerNorm(tokens, ...weights.norm1);
  const byQuery = amongAll(tf.matMul(dQuery, weights.query.weight), nTokens, options);
  const byKeys = tf.add(tf.matMul(dKey, weights.key.weight), tf.matMul(dValue, weights.value.weight));
  const dNormed = tf.add(byKeys, byQuery); // [S, W]
  const [byTokens, g1, b1] = layerNormGradients(dNormed, [tokens, ...weights.norm1]);
  const dx = tf.add(amongAll(dMiddle, nTokens, options), byTokens);
  const asking = askingRows(normed, options);
  return {
    stacked: [dx, dQuery, dKey, dValue, normed, asking, dMiddle, inner, dGate, dUp, product],
    summed: [g1, b1, ...[dQuery, dKey, dValue, dMiddle].map((t) => tf.sum(t, 0)), g2, b2],
  };
}
