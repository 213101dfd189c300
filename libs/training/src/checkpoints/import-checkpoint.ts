import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { assertWeightsFit, buildModel, type Model, type Task, type Weights } from "@parfocal/models";
import type { BagSourceFacts } from "../job.ts";
import { clamLayout } from "./clam-layout.ts";
import { dsmilLayout } from "./dsmil-layout.ts";
import { readExpectedBags } from "./expected-bags.ts";
import { findStateDict } from "./find-state-dict.ts";
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
  /** A `.pt` file that holds a state dict, by itself or, beside anything else, under `model`, `state_dict` or `model_state_dict`. */
  readonly bytes: Uint8Array;
  readonly settings: ImportSettings;
  /** What the model decides. Absent: as the checkpoint's own program does, classes numbered; without a kind the same with these names. */
  readonly task?: Pick<Task, "classes"> & { readonly kind?: Task["kind"]; readonly link?: Task["link"] };
}

/** A model out of a checkpoint. */
export interface ImportedCheckpoint {
  readonly model: Model;
  readonly weights: Weights;
  /** Name of the layout it was read as. */
  readonly layout: string;
  /** What shapes could not tell, as it was taken. */
  readonly settings: readonly TakenSetting[];
  /** What the settings say that bags must be of. */
  readonly expects: BagSourceFacts;
  /** SHA-256 of the file. */
  readonly sourceDigest: string;
}

/**
 * The model that a public checkpoint holds. The file is read by the restricted reader, which executes nothing; every name
 * and shape is checked: a tensor of the state dict that is missing, of another shape or left over is refused. Deterministic.
 *
 * @throws {DomainError} `UNSUPPORTED_FORMAT` as {@link findStateDict} when it has no known layout, or is a variant that no model
 * here computes; `SHAPE_MISMATCH` naming the tensor; `NON_FINITE`; `INVALID_ARGUMENT` for settings and tasks that do not fit;
 * `GEOMETRY_MISMATCH` as {@link readExpectedBags}; what the restricted reader throws.
 */
export function importCheckpoint({ bytes, settings, task }: CheckpointImport): ImportedCheckpoint {
  const { layout, tensors } = findStateDict(bytes, LAYOUTS);
  const reader = createSettingReader(settings);
  const foreign = layout.read(tensors, reader);
  const expects = readExpectedBags(reader, Number(foreign.model.dIn));
  reader.assertNoOthers();
  const model = buildModel({ ...foreign.model, task: taskOf(foreign, task) });
  if (model.nLogits !== foreign.nLogits) {
    const message = `the checkpoint has ${foreign.nLogits} outputs; the task needs ${model.nLogits}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "task" } });
  }
  const weights = takeWeights(model, foreign, tensors);
  assertWeightsFit(model.parameters, weights);
  const sourceDigest = createHash("sha256").update(bytes).digest("hex");
  return { model, weights, layout: layout.name, settings: reader.taken(), expects, sourceDigest };
}

/** The link of a task that does not say: that of the checkpoint's own program where the classes allow it. */
function taskOf(foreign: ForeignModel, task: CheckpointImport["task"]) {
  const fallback = foreign.defaultTask();
  if (task === undefined) return { ...fallback };
  const { kind, classes, link } = task;
  if (kind === undefined) return namedTask(fallback, foreign.nLogits, classes);
  if (kind === "survival" && fallback.kind === kind) return { ...fallback };
  if (kind === "survival" || fallback.kind === "survival") {
    const needed =
      "survival is told by the settings task=survival and bins, of layouts that have them, and by no other task";
    throw new DomainError("INVALID_ARGUMENT", `the task is ${kind}; ${needed}`, { details: { field: "task" } });
  }
  const usual = kind === "binary" && foreign.nLogits === 1 ? "sigmoid" : undefined;
  const chosen = link ?? usual;
  return { kind, classes: [...classes], ...(chosen && { link: chosen }) };
}

/** The program's own decision with names of the classes. */
function namedTask(fallback: Task, nLogits: number, classes: readonly string[]): Task {
  const nClasses = fallback.classes.length;
  if (classes.length === nClasses && nClasses > 0) return { ...fallback, classes: [...classes] };
  const outputs = `the checkpoint has ${nLogits} output${nLogits === 1 ? "" : "s"}`;
  const message =
    nLogits === nClasses
      ? `${outputs}; the task needs ${classes.length}`
      : `${outputs} for ${nClasses} classes; ${classes.length} are named`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "task.classes", bound: `${nClasses}` } });
}

function takeWeights(model: Model, foreign: ForeignModel, tensors: ForeignTensors): Weights {
  const left = new Set(tensors.keys());
  for (const name of foreign.idle ?? []) left.delete(name);
  const entries = model.parameters.map(({ name, shape }): [string, Float32Array<ArrayBuffer>] => {
    const theirs = [foreign.foreignName(name)].flat();
    for (const each of theirs) left.delete(each);
    const whole = foreign.foreignShape?.(name, shape) ?? shape;
    const [rows = 0, ...rest] = whole;
    const part = theirs.length === 1 ? whole : [rows / theirs.length, ...rest];
    const parts = theirs.map((each) => valuesOf(tensors, each, part));
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

/** Values of a tensor of exactly this shape. */
function valuesOf(tensors: ForeignTensors, name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new DomainError("SHAPE_MISMATCH", `the checkpoint has no tensor ${name}`);
  const [found, wanted] = [tensor.shape, shape].map((each) => `[${each.join(", ")}]`);
  if (found === wanted) return Float32Array.from(tensor.values);
  throw new DomainError("SHAPE_MISMATCH", `${name} of the checkpoint is ${found}, not ${wanted}`);
}
