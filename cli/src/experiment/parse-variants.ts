import { dirname, join } from "node:path";
import type { TaskName } from "../cohort/infer-task.ts";
import { applyOverrides, type Override } from "./apply-overrides.ts";
import { checkValues } from "./check-values.ts";
import type { Experiment } from "./experiment.ts";
import { EXPERIMENT_SCHEMA } from "./experiment-schema.ts";
import type { ResolveSpec } from "./fill-defaults.ts";
import { type ProblemContext, problemAt, problemsOf } from "./find-problems.ts";
import { type Locate, locateIn, pathOf } from "./locate-settings.ts";
import { experimentOf, type ParsedExperiment } from "./parse-experiment.ts";
import { ExperimentError, type Problem, pathText, type ValuePath, valueAt } from "./problem.ts";
import type { ReadDocument } from "./read-document.ts";
import { isValueGroup } from "./value-group.ts";

/** A variant of an experiment: the same data, parts and seeds, with values of its own. */
export interface ExperimentVariant {
  /** As the file calls it. */
  readonly name: string;
  /** Named `<experiment>-<variant>`, with a folder of its own below the experiment's. */
  readonly experiment: Experiment;
  /** Places of its own values in the variant, of the others in the experiment. */
  readonly locate: Locate;
}

type Values = Readonly<Record<string, unknown>>;

/**
 * The variants of an experiment that was read: its values, command line included, with each variant's in their place. As with overrides, a
 * `kind` that changes makes its group anew, and nothing (`null`) takes the experiment's value out.
 *
 * @param inferred the task that the labels make, as `checkValues` takes it.
 * @throws {ExperimentError} with everything that is wrong with any of them and its place.
 */
export function parseVariants(
  parsed: ParsedExperiment,
  resolve: ResolveSpec,
  inferred: TaskName | undefined = undefined,
): ExperimentVariant[] {
  const { variants = [], ...base } = parsed.context.values as { readonly variants?: readonly Values[] };
  const problems: Problem[] = [];
  const found = variants.flatMap((variant, index) => {
    const name = String(variant.name);
    try {
      if (variants.findIndex((other) => other.name === variant.name) < index) throw twice(parsed, index);
      return [{ name, ...variantOf(parsed, base, { variant, index, resolve, inferred }) }];
    } catch (error) {
      if (!(error instanceof ExperimentError)) throw error;
      problems.push(...error.problems.map((each) => ofVariant(name, each)));
      return [];
    }
  });
  if (problems.length > 0) throw new ExperimentError(parsed.file, problems);
  return found;
}

function ofVariant(name: string, problem: Problem): Problem {
  return { ...problem, message: `variant ${name}: ${problem.message}` };
}

function twice({ file, context }: ParsedExperiment, index: number): ExperimentError {
  return new ExperimentError(file, [problemAt(["variants", index, "name"], "another variant has this name", context)]);
}

function variantOf(
  parsed: ParsedExperiment,
  base: Values,
  source: {
    readonly variant: Values;
    readonly index: number;
    readonly resolve: ResolveSpec;
    readonly inferred: TaskName | undefined;
  },
): Pick<ExperimentVariant, "experiment" | "locate"> {
  const { experiment: of, file, context } = parsed;
  const { variant, index, resolve, inferred } = source;
  const { name, ...changes } = variant;
  const values = applyOverrides({ ...base, name: `${of.name}-${String(name)}` }, overridesOf(changes, []));
  const document = documentOfVariant(context.document, variant, index);
  // What the command line changed was checked with the experiment itself.
  const own: ProblemContext = { document, overrides: [], values };
  const read = EXPERIMENT_SCHEMA.safeParse(values);
  if (!read.success) throw new ExperimentError(file, problemsOf(read.error.issues, own));
  const experiment = { ...experimentOf(read.data, dirname(file)), output: join(of.output, String(name)) };
  checkValues({ experiment, file, context: own }, resolve, inferred);
  const [locateOwn, locateBase] = [locateIn({ context: own }), locateIn(parsed)];
  // Overrides are known to the experiment's places alone.
  const locate: Locate = (errors) =>
    errors.flatMap((error) =>
      hasAt(variant, pathOf(error.place, values))
        ? locateOwn([error]).map((problem) => ofVariant(String(name), problem))
        : locateBase([error]),
    );
  return { experiment, locate };
}

/** Values of a group, one by one; of each group the kind first, as it makes the group anew. */
function overridesOf(group: Values, path: readonly string[]): Override[] {
  const entries = Object.entries(group).sort(([a], [b]) => Number(b === "kind") - Number(a === "kind"));
  return entries.flatMap(([name, value]) => {
    const inner = [...path, name];
    if (isValueGroup(value)) return overridesOf(value, inner);
    return [{ text: pathText(inner), path: inner, value: value ?? undefined }];
  });
}

/** Places in the variant of what it says, and in the experiment of the rest. */
function documentOfVariant(document: ReadDocument, variant: Values, index: number): ReadDocument {
  const within = (path: ValuePath): ValuePath =>
    hasAt(variant, path) || (!hasAt(document.value, path) && hasAt(variant, path.slice(0, -1)))
      ? ["variants", index, ...path]
      : path;
  return {
    value: document.value,
    placeOf: (path) => document.placeOf(within(path)),
    placeOfName: (path) => document.placeOfName(within(path)),
  };
}

function hasAt(values: unknown, path: ValuePath): boolean {
  return valueAt(values, path) !== undefined;
}
