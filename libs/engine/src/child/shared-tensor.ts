import type { Tensor } from "./onnxruntime.ts";

/** A tensor over memory that is used again when the last who holds it lets go of it. */
export interface SharedTensor {
  readonly tensor: Tensor;
  /** One more holds it. */
  hold(): void;
  /** One holds it no more, and must not touch it from now on. */
  release(): void;
}

/** Has a cache hold what it keeps. */
export const HOLDS_KEPT = {
  kept: (tensor: SharedTensor) => tensor.hold(),
  dropped: (tensor: SharedTensor) => tensor.release(),
};

/** A tensor that one holds, who made it; `giveBack` is called when nobody does. What nobody releases the collector frees. */
export function shareTensor(tensor: Tensor, giveBack: () => void): SharedTensor {
  let nHolders = 1;
  return {
    tensor,
    hold() {
      nHolders += 1;
    },
    release() {
      nHolders -= 1;
      if (nHolders === 0) giveBack();
    },
  };
}
