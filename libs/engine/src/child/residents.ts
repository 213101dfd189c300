import { DomainError } from "@parfocal/errors";
import type { Tensor } from "./onnxruntime.ts";

/** Tensors that runs leave for later runs. */
export interface Residents {
  /** @throws {DomainError} STATE_LOST when there is none of that name */
  get(name: string): Tensor;
  set(name: string, tensor: Tensor): void;
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
      tensors.set(name, tensor);
    },
    drop(prefix) {
      for (const name of tensors.keys()) if (name.startsWith(prefix)) tensors.delete(name);
    },
    get size() {
      return tensors.size;
    },
    get bytes() {
      return [...tensors.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
    },
  };
}

function bytesOf(tensor: Tensor): number {
  return ArrayBuffer.isView(tensor.data) ? tensor.data.byteLength : 0;
}
