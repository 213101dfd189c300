import { createHash } from "node:crypto";
import { commonV1 } from "@parfocal/protocol";
import { HEADS, headCaseOf, REEMBEDDERS, reembedderCaseOf } from "../cohort/architecture-options.ts";
import { type MutableJson, readAt, writeAt } from "../cohort/json-paths.ts";
import { enumWords, type SpecPath, specPaths } from "../cohort/spec-paths.ts";
import { sectionFromJson } from "./contract-json.ts";
import type { Experiment, Section, SectionValue } from "./experiment.ts";
import { snakeCase } from "./field-names.ts";

/** What {@link resolveExperiment} is told beside the experiment. */
export interface ResolvedParts {
  /** With its task and every default, see `fillDefaults`. */
  readonly spec: commonV1.TrainingSpec;
  /** Version that the model to start from was, if any. */
  readonly startFrom?: string;
  /** Folds that the tables give, if any. */
  readonly nFolds?: number;
}

/** The experiment with every value that it ran by, in place of presets, inferences and aliases. Run again it trains the same. */
export function resolveExperiment(experiment: Experiment, { spec, startFrom, nFolds }: ResolvedParts): Experiment {
  const { preset: _, ...rest } = experiment;
  const json = commonV1.TrainingSpec.toJSON(spec) as MutableJson;
  const values = sectionsOf(spec, json);
  const { head = {}, reembed = {}, standardise = false, single_logit: singleLogit = false, ...sections } = values;
  return {
    ...rest,
    ...(startFrom === undefined ? {} : { startFrom }),
    ...(nFolds === undefined ? {} : { folds: nFolds, foldsFrom: "tables" }),
    task: sectionFromJson("parfocal.common.v1.Task", json.task as MutableJson),
    model: {
      ...{ standardise, single_logit: singleLogit },
      reembed: { kind: reembedKindOf(spec), ...(reembed as Section) },
      head: { kind: headKindOf(spec), ...(head as Section) },
    },
    sections: sections as Record<string, Section>,
  };
}

/**
 * SHA-256 of everything that an experiment does to its data: specification, seeds, folds and the model it starts from. Names, paths and
 * the order of values in the file do not count.
 */
export function experimentDigest(
  { seeds, folds, repeats, startFrom }: Experiment,
  spec: commonV1.TrainingSpec,
): string {
  const { recipe, ...json } = commonV1.TrainingSpec.toJSON(spec) as MutableJson & { recipe?: MutableJson };
  const { seed: _, ...steps } = recipe ?? {};
  const whole = { ...json, recipe: steps, seeds: seeds.map(String), folds, repeats, startFrom: startFrom ?? null };
  return createHash("sha256")
    .update(JSON.stringify(sorted(whole)))
    .digest("hex");
}

/** Values that the words for kinds stand for, or that stand elsewhere in a file. */
const ELSEWHERE: ReadonlySet<string> = new Set(["recipe.seed", "head.gated", "clam head.branches"]);

function sectionsOf(spec: commonV1.TrainingSpec, json: MutableJson): Record<string, SectionValue> {
  const sections: MutableJson = {};
  const head = spec.architecture?.head?.kind?.$case ?? "";
  for (const each of specPaths(spec)) {
    const { path, field } = each;
    if (field.value.kind === "message" || ELSEWHERE.has(path) || ELSEWHERE.has(`${head} ${path}`)) continue;
    const value = sectionValue(each, json);
    if (value !== undefined) writeAt(sections, path.split(".").map(snakeCase), value);
  }
  return sections as Record<string, SectionValue>;
}

/** Of what may not be absent, JSON leaves out zeros: flags and numbers are shown, a rule's value only where it has one. */
function sectionValue({ path, keys, field }: SpecPath, json: MutableJson): SectionValue | undefined {
  const found = readAt(json, keys);
  const { kind } = field.value;
  if (found !== undefined) return kind === "enum" ? wordOf(field.value.names, found) : plain(kind, found);
  if (readAt(json, keys.slice(0, -1)) === undefined || field.canBeAbsent || path === "threshold.value")
    return undefined;
  if (field.isList) return [];
  if (kind === "flag") return false;
  return kind === "integer" || kind === "number" ? 0 : undefined;
}

/** 64-bit numbers are digits in JSON. */
function plain(kind: string, found: unknown): SectionValue {
  return kind === "integer" && typeof found === "string" ? Number(found) : (found as SectionValue);
}

function wordOf(names: readonly string[], found: unknown): string | undefined {
  return [...enumWords(names)].find(([, name]) => name === found)?.[0];
}

function headKindOf({ architecture }: commonV1.TrainingSpec): string {
  const kind = architecture?.head?.kind;
  const perClass = commonV1.ClamHead_Branches.BRANCHES_PER_CLASS;
  if (kind?.$case === "abmil") return kind.value.gated ? "gated-abmil" : "abmil";
  if (kind?.$case === "clam") return kind.value.branches === perClass ? "clam-mb" : "clam-sb";
  return HEADS.find((word) => headCaseOf(word) === kind?.$case) ?? "";
}

function reembedKindOf({ architecture }: commonV1.TrainingSpec): string {
  const found = architecture?.reembedder?.kind?.$case;
  return REEMBEDDERS.find((word) => reembedderCaseOf(word) === found) ?? "none";
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]));
}
