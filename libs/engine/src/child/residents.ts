import { DomainError } from "@parfocal/errors";
import type { Tensor } from "./onnxruntime.ts";

/** Tensors that runs leave for later runs. */
export interface Residents {
  /** @throws {DomainError} STATE_LOST when there is none of that name */
  get(name: string): Tensor;
  /** Keeps a tensor whose buffer nobody else has. The one of that name before it must not be used any more. */
  set(name: string, tensor: Tensor): void;
  /** Forgets the tensors whose names begin with `prefix`; they must not be used any more. */
  drop(prefix: string): void;
  readonly size: number;
  readonly bytes: number;
}

/** An empty set of resident tensors. */
export function createResidents(): Residents {
  const tensors = new Map<string, Tensor>();
  return {
    get(name) {
      const tensor = tensors.get(name);
      if (tensor !== undefined) return tensor;
      throw new DomainError(
        "STATE_LOST",
        `the engine holds no tensor "${name}": it was never set, dropped, or lost in a restart`,
      );
    },
    set(name, tensor) {
      const before = tensors.get(name);
      tensors.set(name, tensor);
      if (before !== undefined && before !== tensor) freeTensor(before);
    },
    drop(prefix) {
      for (const [name, tensor] of tensors) {
        if (!name.startsWith(prefix)) continue;
        tensors.delete(name);
        freeTensor(tensor);
      }
    },
    get size() {
      return tensors.size;
    },
    get bytes() {
      return [...tensors.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
    },
  };
}

/**
 * Gives the memory of a tensor that nobody uses any more back now. A training leaves as much behind at every step as its state has; waiting for the collector held
 * tens of states and cost a sixth of the time of small steps.
 */
export function freeTensor(tensor: Tensor | undefined): void {
  const data = tensor?.data;
  if (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer) data.buffer.transfer(0);
}

function bytesOf(tensor: Tensor): number {
  return ArrayBuffer.isView(tensor.data) ? tensor.data.byteLength : 0;
}
