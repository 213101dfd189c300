import type { GradConfig, Tensor } from "@tensorflow/tfjs";
import { expandTo } from "../operations/expand.ts";
import { maskPositive } from "../operations/mask-positive.ts";
import { sizeOf } from "../operations/size-of.ts";
import { tf } from "../tf.ts";

/**
 * Gradients that tfjs writes with materialised ones, with sizes as numbers, or with a pass more than needed. They hold
 * during a capture only: eager runs keep tfjs's own and stay an independent reference.
 */
const CAPTURE_GRADIENTS: readonly GradConfig[] = [
  {
    kernelName: "Sum",
    inputsToSave: ["x"],
    gradFunc: (dy, saved, attrs) => ({ x: () => spread(one(dy), first(saved), attrs.axis) }),
  },
  {
    kernelName: "Mean",
    inputsToSave: ["x"],
    gradFunc: (dy, saved, attrs) => ({
      x: () => {
        const x = first(saved);
        const count = tf.util.parseAxisParam(attrs.axis as number[], x.shape).map((axis) => sizeOf(x, axis));
        const share = count.reduce((quotient, size) => tf.div(quotient, size), one(dy));
        return spread(share, x, attrs.axis);
      },
    }),
  },
  {
    kernelName: "Relu",
    outputsToSave: [true],
    // The output says as much as the input and lets the runtime fuse the activation into the product before it.
    gradFunc: (dy, saved) => ({ x: () => maskPositive(one(dy), first(saved)) }),
  },
  {
    kernelName: "Tile",
    inputsToSave: ["x"],
    gradFunc: (dy, saved, attrs) => ({ x: () => foldTiles(one(dy), first(saved), attrs.reps as number[]) }),
  },
  {
    kernelName: "Cumsum",
    gradFunc: (dy, _saved, attrs) => ({
      x: () => tf.cumsum(one(dy), attrs.axis as number, attrs.exclusive as boolean, !(attrs.reverse as boolean)),
    }),
  },
];

/** Runs `work` with the capture's gradients in tfjs's registry and puts tfjs's own back, whatever happens. */
export function withCaptureGradients<T>(work: () => T): T {
  const originals = CAPTURE_GRADIENTS.map(({ kernelName }) => tf.getGradient(kernelName));
  for (const config of CAPTURE_GRADIENTS) tf.registerGradient(config);
  try {
    return work();
  } finally {
    for (const config of originals) tf.registerGradient(config);
  }
}

/** A reduced gradient given to every element that was reduced. */
function spread(dy: Tensor, x: Tensor, axis: unknown): Tensor {
  const axes = tf.util.parseAxisParam(axis as number | number[], x.shape);
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return expandTo(tf.reshape(dy, kept), x.shape);
}

/** The sum over the copies that Tile made. */
function foldTiles(dy: Tensor, x: Tensor, reps: readonly number[]): Tensor {
  if (x.shape.every((size, i) => size === 1 || reps[i] === 1)) {
    const axes = reps.flatMap((count, i) => (count === 1 ? [] : [i]));
    return axes.length === 0 ? dy.clone() : tf.sum(dy, axes, true);
  }
  const split = x.shape.flatMap((size, i) => [reps[i] ?? 1, size]);
  return tf.reshape(
    tf.sum(
      tf.reshape(dy, split),
      x.shape.map((_, i) => 2 * i),
    ),
    x.shape,
  );
}

function one(dy: Tensor | Tensor[]): Tensor {
  return Array.isArray(dy) ? first(dy) : dy;
}

function first(saved: readonly Tensor[]): Tensor {
  const [tensor] = saved;
  if (tensor === undefined) throw new RangeError("a gradient was called without its saved tensor");
  return tensor;
}
