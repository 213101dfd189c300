import { float64FromTensor, readTorchStateDict, type SafetensorsTensor } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { CheckpointLayout, ForeignTensors } from "./layout.ts";

/** Where programs put the model's state dict beside other things; the last one is the file that holds it alone. */
const ROOTS = ["model.", "state_dict.", "model_state_dict.", ""] as const;

/** What wraps a model puts its own name in front, and one may wrap another: several devices, Lightning, `torch.compile`. */
const WRAPPERS = /^(?:(?:module|model|_orig_mod)\.)+/u;

/** A model's tensors by the names that its program gave them. */
interface FoundStateDict {
  readonly layout: CheckpointLayout;
  readonly tensors: ForeignTensors;
}

/**
 * The state dict in a `.pt` file that has one of the layouts: by itself or under `model`, `state_dict` or `model_state_dict`, names of
 * wrappers taken off. What lies beside such a root (an optimiser's state, a loss) is not looked at.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` when there is none, naming the known layouts and how the file's names begin, or when two
 * tensors have one name without their wrappers; what the restricted reader throws.
 */
export function findStateDict(bytes: Uint8Array, layouts: readonly CheckpointLayout[]): FoundStateDict {
  const all = readTorchStateDict(bytes);
  for (const root of ROOTS) {
    const below = [...all].filter(([name]) => name.startsWith(root));
    const tensors: ForeignTensors = new Map(
      below.map(([name, tensor]) => [plainName(name, root), foreign(name, tensor)]),
    );
    const layout = layouts.find((candidate) => candidate.isOf(tensors));
    if (layout === undefined) continue;
    if (tensors.size === below.length) return { layout, tensors };
    throw new DomainError("UNSUPPORTED_FORMAT", `the checkpoint holds several models of the layout ${layout.name}`);
  }
  const known = layouts.map(({ name }) => name).join(", ");
  const message = `${all.size} tensors of a layout that is none of ${known}${beginnings([...all.keys()])}`;
  throw new DomainError("UNSUPPORTED_FORMAT", `${message}; the model's state dict alone is wanted`);
}

function plainName(name: string, root: string): string {
  return name.slice(root.length).replace(WRAPPERS, "");
}

function foreign(name: string, tensor: SafetensorsTensor) {
  return {
    shape: tensor.shape,
    get values() {
      return floatsOf(name, tensor);
    },
  };
}

const FLOATS: ReadonlySet<string> = new Set(["F16", "BF16", "F32", "F64"]);

/** The values in f32: halves widen exactly, doubles are rounded, and one beyond f32 becomes infinite, which is refused later. */
function floatsOf(name: string, tensor: SafetensorsTensor): Float32Array {
  if (FLOATS.has(tensor.dtype)) return Float32Array.from(float64FromTensor(tensor));
  throw new DomainError("UNSUPPORTED_FORMAT", `${name} of the checkpoint is ${tensor.dtype}; weights are floats`);
}

/** Parts of training programs. Other beginnings are not told: a file of features by slide has identifiers in their place. */
const PARTS: ReadonlySet<string> = new Set([
  ...["model", "module", "net", "network", "ema", "_orig_mod", "state_dict", "model_state_dict"],
  ...["encoder", "backbone", "head", "classifier", "criterion", "loss", "optimizer", "scheduler", "lr_scheduler"],
]);

/** With which of {@link PARTS} the names of tensors begin, for a message. */
function beginnings(names: readonly string[]): string {
  const found = [...new Set(names.map((name) => name.split(".", 1)[0] ?? ""))].filter((part) => PARTS.has(part));
  return found.length === 0 ? "" : `: names begin with ${found.join(", ")}`;
}
