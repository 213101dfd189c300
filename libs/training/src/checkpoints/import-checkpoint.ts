import { createHash } from "node:crypto";
import { float64FromTensor, readTorchStateDict, type SafetensorsTensor } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { assertWeightsFit, buildModel, type Model, sizeOfShape, type Task, type Weights } from "@parfocal/models";
import { clamLayout } from "./clam-layout.ts";
import { dsmilLayout } from "./dsmil-layout.ts";
import {
  type CheckpointLayout,
  createSettingReader,
  type ForeignModel,
  type ForeignTensors,
  type ImportSettings,
  type TakenSetting,
} from "./layout.ts";
import { r2tLayout } from "./r2t-layout.ts";

/** Every layout. Adding one: its file beside the others and its name here. */
const LAYOUTS: readonly CheckpointLayout[] = [r2tLayout, dsmilLayout, clamLayout];

/** What to import. */
export interface CheckpointImport {
  /** A `.pt` file that holds a state dict, by itself or under `model`, `state_dict` or `model_state_dict`. */
  readonly bytes: Uint8Array;
  readonly settings: ImportSettings;
  /** What the model decides. Absent: classes are numbered. */
  readonly task?: Pick<Task, "kind" | "classes"> & { readonly link?: Task["link"] };
}

/** A model out of a checkpoint. */
export interface ImportedCheckpoint {
  readonly model: Model;
  readonly weights: Weights;
  /** Name of the layout it was read as. */
  readonly layout: string;
  /** What shapes could not tell, as it was taken. */
  readonly settings: readonly TakenSetting[];
  /** SHA-256 of the file. */
  readonly sourceDigest: string;
}

/**
 * The model that a public checkpoint holds. The file is read by the restricted reader, which executes nothing; every name
 * and shape is checked: a tensor that is missing, of another shape or left over is refused. Deterministic.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` when it has no known layout, naming the known ones, or is a variant that no model
 * here computes; `SHAPE_MISMATCH` naming the tensor; `NON_FINITE`; `INVALID_ARGUMENT` for settings and tasks that do not fit;
 * what the restricted reader throws.
 */
export function importCheckpoint({ bytes, settings, task }: CheckpointImport): ImportedCheckpoint {
  const tensors = readTensors(bytes);
  const layout = LAYOUTS.find((candidate) => candidate.isOf(tensors));
  if (layout === undefined) {
    const known = LAYOUTS.map(({ name }) => name).join(", ");
    throw new DomainError("UNSUPPORTED_FORMAT", `${tensors.size} tensors of a layout that is none of ${known}`);
  }
  const reader = createSettingReader(settings);
  const foreign = layout.read(tensors, reader);
  reader.assertNoOthers();
  const model = buildModel({ ...foreign.model, task: taskOf(foreign, task) });
  if (model.nLogits !== foreign.nLogits) {
    const message = `the checkpoint has ${foreign.nLogits} outputs; the task needs ${model.nLogits}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "task" } });
  }
  const weights = takeWeights(model, foreign, tensors);
  assertWeightsFit(model.parameters, weights);
  const sourceDigest = createHash("sha256").update(bytes).digest("hex");
  return { model, weights, layout: layout.name, settings: reader.taken(), sourceDigest };
}

/** The link of a task that does not say: that of the checkpoint's own program where the classes allow it. */
function taskOf(foreign: ForeignModel, task: CheckpointImport["task"]) {
  const fallback = foreign.defaultTask();
  if (task === undefined) return { ...fallback };
  const { kind, classes, link } = task;
  const usual = kind === "binary" && foreign.nLogits === 1 ? "sigmoid" : undefined;
  const chosen = link ?? usual;
  return { kind, classes: [...classes], ...(chosen && { link: chosen }) };
}

const ROOTS = ["model.", "state_dict.", "model_state_dict."] as const;

function readTensors(bytes: Uint8Array): ForeignTensors {
  const found = [...readTorchStateDict(bytes)];
  const root = ROOTS.find((prefix) => found.length > 0 && found.every(([name]) => name.startsWith(prefix))) ?? "";
  // Checkpoints of several devices put every name below `module`.
  const plain = (name: string) => name.slice(root.length).replace(/^module\./u, "");
  return new Map(
    found.map(([name, tensor]) => {
      const entry = {
        shape: tensor.shape,
        get values() {
          return floatsOf(name, tensor);
        },
      };
      return [plain(name), entry] as const;
    }),
  );
}

const FLOATS: ReadonlySet<string> = new Set(["F16", "BF16", "F32", "F64"]);

/** The values in f32: halves widen exactly, doubles are rounded, and one beyond f32 becomes infinite, which is refused later. */
function floatsOf(name: string, tensor: SafetensorsTensor): Float32Array {
  if (FLOATS.has(tensor.dtype)) return Float32Array.from(float64FromTensor(tensor));
  throw new DomainError("UNSUPPORTED_FORMAT", `${name} of the checkpoint is ${tensor.dtype}; weights are floats`);
}

function takeWeights(model: Model, foreign: ForeignModel, tensors: ForeignTensors): Weights {
  const left = new Set(tensors.keys());
  for (const name of foreign.idle ?? []) left.delete(name);
  const entries = model.parameters.map(({ name, shape }): [string, Float32Array<ArrayBuffer>] => {
    const theirs = [foreign.foreignName(name)].flat();
    for (const each of theirs) left.delete(each);
    const [rows = 0, ...rest] = shape;
    const parts = theirs.map((each) =>
      valuesOf(tensors, each, theirs.length === 1 ? shape : [rows / theirs.length, ...rest]),
    );
    return [name, joined(parts)];
  });
  const [other] = left;
  if (other === undefined) return Object.fromEntries(entries);
  throw new DomainError(
    "SHAPE_MISMATCH",
    `the checkpoint has ${left.size} tensors that no model takes, first ${other}`,
  );
}

function joined(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** Values whose shape is `shape` but for axes of length 1 and axes that are one here. */
function valuesOf(tensors: ForeignTensors, name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new DomainError("SHAPE_MISMATCH", `the checkpoint has no tensor ${name}`);
  if (areAlike(tensor.shape, shape)) return Float32Array.from(tensor.values);
  const shapes = `[${tensor.shape.join(", ")}], not [${shape.join(", ")}]`;
  throw new DomainError("SHAPE_MISMATCH", `${name} of the checkpoint is ${shapes}`);
}

/** A convolution's weights hold the same numbers in the same order with axes of length 1, or `[O, C, k]` for `[O, C·k]`. */
function areAlike(found: readonly number[], wanted: readonly number[]): boolean {
  const [a, b] = [found, wanted].map((shape) => shape.filter((size) => size !== 1)) as [number[], number[]];
  if (a.length === b.length) return a.every((size, axis) => size === b[axis]);
  return (
    found.length === 3 && wanted.length === 2 && found[0] === wanted[0] && sizeOfShape(found) === sizeOfShape(wanted)
  );
}
