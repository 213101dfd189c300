import { commonV1, type MessageField } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { type MutableJson, readAt, writeAt } from "./json-paths.ts";
import { enumWords, pretrainPaths, type SpecPath, specPaths, taskPaths } from "./spec-paths.ts";

/** Takes a message that may be absent out of the specification, and empties a list. */
const NONE = "none";

/**
 * The specification with single values set but for those of the task, which {@link applyTaskSettings} sets, each given as `path=value`: `reembed.heads=4`, `head.trunk.hidden=256,128`,
 * `recipe.optimiser.kind=adam`, `recipe.earlyStopping=none`. Names count in any of the usual spellings (`attention-width`).
 *
 * @throws {UsageError} for a name that is none, with those that there are, and for a value of another type.
 */
export function applySettings(spec: commonV1.TrainingSpec, settings: readonly string[]): commonV1.TrainingSpec {
  const json = commonV1.TrainingSpec.toJSON(spec) as MutableJson;
  const own = settings.filter((setting) => !TASK.test(setting));
  return commonV1.TrainingSpec.fromJSON(withSettings(json, specPaths(spec), own));
}

/** Settings of the task. */
const TASK = /^\s*task\./u;

/**
 * The task with those of `settings` that are about it: `task.survival.loss=cross-entropy`, `task.regression.delta=2`.
 *
 * @throws {UsageError} as {@link applySettings}, and for options of another kind of task.
 */
export function applyTaskSettings(task: commonV1.Task, settings: readonly string[] = []): commonV1.Task {
  const own = settings.filter((setting) => TASK.test(setting));
  for (const setting of own) assertOfKind(task, setting);
  const json = { task: commonV1.Task.toJSON(task) as MutableJson };
  return commonV1.Task.fromJSON(withSettings(json, taskPaths(), own).task);
}

function assertOfKind({ kind }: commonV1.Task, setting: string): void {
  const { KIND_COX, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
  const isTimed = kind === KIND_SURVIVAL || kind === KIND_COX;
  const isForeign = setting.includes("task.survival")
    ? !isTimed
    : setting.includes("task.regression") && kind !== KIND_REGRESSION;
  if (!isForeign) return;
  const name = commonV1.task_KindToJSON(kind).replace("KIND_", "").toLowerCase();
  throw new UsageError(`--set ${setting}: the task is ${name}, which has no such options`);
}

/** A pretraining with single values set, as {@link applySettings} sets them: `mixer.width=128`. */
export function applyPretrainSettings(spec: commonV1.PretrainSpec, settings: readonly string[]): commonV1.PretrainSpec {
  const json = commonV1.PretrainSpec.toJSON(spec) as MutableJson;
  return commonV1.PretrainSpec.fromJSON(withSettings(json, pretrainPaths(), settings));
}

function withSettings(json: MutableJson, paths: readonly SpecPath[], settings: readonly string[]): MutableJson {
  for (const setting of settings) {
    const [, name = "", text = ""] = /^([^=]+)=(.*)$/su.exec(setting) ?? [];
    if (name === "") throw new UsageError(`--set "${setting}" is not name=value`);
    const { keys, field } = pathOf(paths, name, setting);
    writeAt(json, keys, parseValue(field, text, setting));
  }
  return json;
}

/** Every value of a specification with its name, as {@link applySettings} takes both. What is absent is left out. */
export function settingsOf(spec: commonV1.TrainingSpec): readonly (readonly [string, string])[] {
  const json = commonV1.TrainingSpec.toJSON(spec) as MutableJson;
  return specPaths(spec).flatMap(({ path, keys, field }): [string, string][] => {
    const value = readAt(json, keys);
    if (field.value.kind === "message") return [];
    // The JSON of the contract leaves out zeros of fields that cannot be absent, if the message around them is there.
    const isZero = value === undefined && !field.canBeAbsent && readAt(json, keys.slice(0, -1)) !== undefined;
    return value === undefined && !isZero ? [] : [[path, textOf(field, value)]];
  });
}

function pathOf(paths: readonly SpecPath[], name: string, setting: string): SpecPath {
  const wanted = name.trim().replace(/[-_]([a-z0-9])/gu, (_, letter: string) => letter.toUpperCase());
  const found = paths.find(({ path }) => path === wanted);
  if (found !== undefined) return found;
  const [root = ""] = wanted.split(".");
  const near = paths.map(({ path }) => path).filter((path) => path === root || path.startsWith(`${root}.`));
  if (near.length === 0 && root === "reembed")
    throw new UsageError(`--set ${setting}: there is no re-embedder; give one by --reembed or --preset`);
  throw new UsageError(`--set ${setting}: there is no ${name}; there are ${near.join(", ") || rootsOf(paths)}`);
}

/** First parts of the names that there are: groups with dots behind them, then single values. */
function rootsOf(paths: readonly SpecPath[]): string {
  const all = paths.map(({ path }) => path);
  const groups = new Set(all.filter((path) => path.includes(".")).map((path) => path.slice(0, path.indexOf("."))));
  const single = all.filter((path) => !path.includes(".") && !groups.has(path));
  return [...[...groups].map((group) => `${group}.…`), ...single].join(", ");
}

function parseValue(field: MessageField, text: string, setting: string): unknown {
  if (field.value.kind === "message") {
    if (text === NONE) return undefined;
    throw new UsageError(`--set ${setting}: it is a group of values; ${NONE} leaves it out`);
  }
  if (!field.isList) return parseScalar(field, text.trim(), setting);
  return text === NONE ? [] : text.split(",").map((part) => parseScalar(field, part.trim(), setting));
}

function parseScalar({ value }: MessageField, text: string, setting: string): unknown {
  const refuse = (expected: string) => new UsageError(`--set ${setting}: it is ${expected}`);
  switch (value.kind) {
    case "flag":
      if (text === "true" || text === "false") return text === "true";
      throw refuse("true or false");
    case "integer":
      if (/^-?\d{1,20}$/u.test(text) && BigInt(text) >= value.min && BigInt(text) <= value.max) return text;
      throw refuse(`a whole number from ${value.min} to ${value.max}`);
    case "number":
      if (text !== "" && Number.isFinite(Number(text))) return Number(text);
      throw refuse("a number");
    case "enum": {
      const words = enumWords(value.names);
      const found = words.get(text.toLowerCase().replaceAll("_", "-"));
      if (found !== undefined) return found;
      throw refuse(`one of ${[...words.keys()].join(", ")}`);
    }
    default:
      return text;
  }
}

function textOf({ value, isList }: MessageField, found: unknown): string {
  if (isList) return Array.isArray(found) && found.length > 0 ? found.join(",") : NONE;
  if (value.kind === "flag") return String(found ?? false);
  if (value.kind === "enum") return [...enumWords(value.names)].find(([, name]) => name === found)?.[0] ?? "default";
  return String(found ?? 0);
}
