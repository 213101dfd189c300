import { DomainError } from "@parfocal/errors";
import type { ConfigObject, Task } from "@parfocal/models";

/** A tensor of a foreign checkpoint. */
interface ForeignTensor {
  readonly shape: readonly number[];
  /** Row-major. Made when they are asked for, which of a type that is no float is refused. */
  readonly values: Float32Array;
}

/** Tensors of a checkpoint by the names that its program gave them. */
export type ForeignTensors = ReadonlyMap<string, ForeignTensor>;

/** What shapes cannot tell, by name, as text. */
export type ImportSettings = Readonly<Record<string, string>>;

/** A setting as it was taken. */
export interface TakenSetting {
  readonly name: string;
  readonly value: string;
  /** Whether nobody gave it. */
  readonly isDefault: boolean;
}

/** A model that a checkpoint was read as. */
export interface ForeignModel {
  /** `dIn`, `reembed`, `head`: the model but for its task. */
  readonly model: ConfigObject;
  /** The checkpoint's name for each of the model's parameters; several where they follow each other along the first axis. */
  foreignName(parameter: string): string | readonly string[];
  /**
   * The shape of the checkpoint's tensor for a parameter of `shape` whose numbers it holds in the same order; of several tensors the shape of all
   * of them together. Undefined, or absent: `shape`.
   */
  foreignShape?(parameter: string, shape: readonly number[]): readonly number[] | undefined;
  /** Tensors of the checkpoint that change no prediction and are left out; none unless given. */
  readonly idle?: readonly string[];
  readonly nLogits: number;
  /** The task when nobody gives one. */
  defaultTask(): Task;
}

/** A layout of checkpoints that can be imported. */
export interface CheckpointLayout {
  /** For messages and manifests. */
  readonly name: string;
  /** Whether a checkpoint with these names has this layout. */
  isOf(tensors: ForeignTensors): boolean;
  /**
   * Reads the architecture from shapes and settings.
   *
   * @throws {DomainError} `UNSUPPORTED_FORMAT` for a variant that no model here computes; `INVALID_ARGUMENT` for a setting
   * that is unknown or out of its bounds; `SHAPE_MISMATCH`.
   */
  read(tensors: ForeignTensors, settings: SettingReader): ForeignModel;
}

/** Reads settings and remembers which were asked for. */
export interface SettingReader {
  /** The setting as a whole number, of at least 1, or of 0 too where that is the default. */
  count(name: string, fallback: number): number;
  /** The setting as a number of at least 0. */
  number(name: string, fallback: number): number;
  /** The setting as `true` or `false`. */
  flag(name: string, fallback: boolean): boolean;
  /** The setting as one of the words. */
  choice<const T extends string>(name: string, options: readonly T[], fallback: T): T;
  /** The setting as text where it was given. */
  optional(name: string): string | undefined;
  /** The same of a setting that says nothing of the model and is not among those that are told as taken. */
  untold(name: string): string | undefined;
  /** @throws {DomainError} `INVALID_ARGUMENT` naming a setting that nobody asked for. */
  assertNoOthers(): void;
  /** What was asked for and what it was, by name. */
  taken(): readonly TakenSetting[];
}

/** A reader of `settings`. Its methods throw `INVALID_ARGUMENT` naming setting, value and what it may be. */
export function createSettingReader(settings: ImportSettings): SettingReader {
  const known = new Set<string>();
  const asked = new Map<string, TakenSetting>();
  const take = (name: string, fallback: string): string => {
    const value = settings[name] ?? fallback;
    known.add(name);
    asked.set(name, { name, value, isDefault: settings[name] === undefined });
    return value;
  };
  const choice = <const T extends string>(name: string, options: readonly T[], fallback: T): T => {
    const value = take(name, fallback);
    const found = options.find((option) => option === value);
    if (found !== undefined) return found;
    throw invalidSetting(name, value, `one of ${options.join(", ")}`);
  };
  return {
    choice,
    flag: (name, fallback) => choice(name, ["true", "false"], fallback ? "true" : "false") === "true",
    count(name, fallback) {
      const value = take(name, String(fallback));
      const min = Math.min(1, fallback);
      if (/^\d{1,6}$/u.test(value) && Number(value) >= min) return Number(value);
      throw invalidSetting(name, value, `a whole number of at least ${min}`);
    },
    number(name, fallback) {
      const value = take(name, String(fallback));
      if (/^\d{1,6}(?:\.\d{1,9})?$/u.test(value)) return Number(value);
      throw invalidSetting(name, value, "a number of at least 0");
    },
    optional(name) {
      known.add(name);
      const value = settings[name];
      return value === undefined ? undefined : take(name, value);
    },
    untold(name) {
      known.add(name);
      return settings[name];
    },
    assertNoOthers() {
      const other = Object.keys(settings).find((name) => !known.has(name));
      if (other === undefined) return;
      const names = [...known].sort().join(", ") || "no settings";
      throw invalidSetting(other, settings[other] ?? "", `left out: this layout has ${names}`);
    },
    taken: () => [...asked.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** The refusal of a setting, which says what it must be. */
export function invalidSetting(name: string, value: string, expected: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `setting ${name} is ${JSON.stringify(value)}; it must be ${expected}`, {
    details: { field: `settings.${name}` },
  });
}

/**
 * The shape of a tensor that must be there with so many axes.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` naming the tensor and what it has.
 */
export function shapeOf(tensors: ForeignTensors, name: string, nAxes: number): readonly number[] {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new DomainError("SHAPE_MISMATCH", `the checkpoint has no tensor ${name}`);
  if (tensor.shape.length === nAxes) return tensor.shape;
  throw new DomainError("SHAPE_MISMATCH", `${name} has ${tensor.shape.length} axes, not ${nAxes}`);
}

/** What a program decides that puts a softmax on its outputs and names no classes. */
export function numberedTask(nLogits: number): Task {
  const classes = Array.from({ length: nLogits }, (_, k) => `${k}`);
  return { kind: nLogits === 2 ? "binary" : "multiclass", classes, link: "softmax" };
}
