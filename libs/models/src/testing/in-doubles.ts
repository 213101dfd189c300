import { runEagerly, tf } from "@parfocal/tensor";
import { inDoublePrecision } from "./double-precision.ts";

/** What `work` makes of tensors in f64, on tfjs's own kernels. Numbers must be read before it returns. */
export function inDoubles<T>(work: () => T): T {
  let result: { readonly value: T } | undefined;
  const build = () => {
    result = { value: work() };
    return { done: tf.scalar(1) };
  };
  inDoublePrecision(() => runEagerly({ name: "doubles", inputs: [], build }, {}));
  if (result === undefined) throw new Error("the eager run gave nothing");
  return result.value;
}

/** A tensor of numbers in f64; only inside {@link inDoubles}. */
export function double<T extends tf.Tensor>(values: readonly number[], shape: readonly number[]): T {
  return tf.tensor([...values], [...shape], "float32") as T;
}

/** The numbers of a tensor. */
export function numbersOf(x: tf.Tensor): number[] {
  return Array.from(x.dataSync());
}
