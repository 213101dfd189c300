import { isDomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import { type HeadName, headCaseOf } from "../cohort/architecture-options.ts";
import type { TaskName } from "../cohort/infer-task.ts";
import { writeAt } from "../cohort/json-paths.ts";
import { DEFAULT_SEED } from "../default-seed.ts";
import { jsonFromSection } from "./contract-json.ts";
import type { Experiment, Section, SectionValue } from "./experiment.ts";
import { camelCase } from "./field-names.ts";
import type { ResolveSpec } from "./fill-defaults.ts";
import { problemAt } from "./find-problems.ts";
import type { ParsedExperiment } from "./parse-experiment.ts";
import { ExperimentError, type Problem, pathText, type ValuePath } from "./problem.ts";
import { groupedName, resolvedNameOf } from "./resolved-names.ts";
import { specFromExperiment } from "./spec-from-experiment.ts";

/**
 * Checks the values of a file against the bounds that the service reads them by, each by itself and as far as they are known without
 * a preset, before anything is started or sent; and against each other and the task: a head that does not take a rule for groups, a
 * multi-label task of which nothing is balanced.
 *
 * @param inferred the task that the labels make, for a file that names none; absent: not known.
 * @throws {ExperimentError} with every value out of its bounds and its place.
 */
export function checkValues(
  { experiment, file, context }: ParsedExperiment,
  resolve: ResolveSpec,
  inferred: TaskName | undefined = undefined,
): void {
  const refusal = (of: Experiment) => refusalOf(of, resolve, inferred);
  const problems: Problem[] = [];
  // A preset may make right what stands alone, but for the very values that the file gives.
  const isWhole = experiment.preset === undefined && experiment.startFrom === undefined;
  let left: Experiment = experiment;
  for (let found = refusal(left); found !== undefined; found = refusal(left)) {
    const said = pathOfName(left, found.name);
    const path = said ?? (isWhole ? partToBlame(left, found.message, refusal) : undefined);
    if (path === undefined) break;
    const message = found.message.replace(found.name, said === undefined ? fileName(found.name) : pathText(said));
    problems.push(problemAt(path, message, context));
    // A rule without its value is another rule.
    left = without(left, path[0] === "threshold" ? ["threshold"] : path);
  }
  if (problems.length > 0) throw new ExperimentError(file, problems);
}

/** The part of the file without which the service would not say the same. */
function partToBlame(
  experiment: Experiment,
  message: string,
  refusal: (of: Experiment) => Refusal | undefined,
): ValuePath | undefined {
  const parts = Object.keys(experiment.sections).map((name) => [name]);
  const blamed: readonly ValuePath[] = [["model", "head"], ["model", "reembed"], ...parts, ["model"]];
  return blamed.find(
    (path) => leavesAt(experiment, path).length > 0 && refusal(without(experiment, path))?.message !== message,
  );
}

/** What the service says of a value; its name of it, empty where it has none, is the beginning of the message. */
interface Refusal {
  readonly name: string;
  readonly message: string;
}

/** What the service would say first. */
function refusalOf(experiment: Experiment, resolve: ResolveSpec, inferred: TaskName | undefined): Refusal | undefined {
  const spec = specFromExperiment(experiment, DEFAULT_SEED);
  try {
    resolve({ ...spec, task: commonV1.Task.fromJSON(taskOf(experiment, inferred)) });
    return undefined;
  } catch (error) {
    if (!isDomainError(error)) throw error;
    const [, name = ""] = /^([A-Za-z]+(?:\.[\w.]+)?(?:\[\d+\])?) is /.exec(error.message) ?? [];
    return { name, message: error.message };
  }
}

/** Fewest classes of the tasks that do not take two. */
const SOME_CLASSES: Readonly<Record<string, readonly string[]>> = {
  survival: [],
  cox: [],
};

function taskOf({ task = {} }: Experiment, inferred: TaskName = "binary"): object {
  const kind = task.kind ?? inferred;
  const classes = SOME_CLASSES[String(kind)] ?? ["a", "b"];
  return { classes, ...jsonFromSection("parfocal.common.v1.Task", { ...task, kind }) };
}

/** What a file calls the target of a rule for thresholds, which it need not have. */
function fileName(name: string): string {
  return name === "threshold.target" ? "threshold.value" : name;
}

/** Where the file says the value that the service calls `name`. */
function pathOfName(experiment: Experiment, name: string): ValuePath | undefined {
  const [plain = "", index] = groupedName(name).split(/[[\]]/);
  const head = (experiment.model.head as Section | undefined)?.kind as HeadName | undefined;
  const leaves = leavesAt(experiment, []);
  const found = leaves.find((path) => {
    const wire = (path[0] === "model" ? path.slice(1) : path).map((each) => camelCase(String(each))).join(".");
    const resolved = resolvedNameOf(wire, head && headCaseOf(head));
    return resolved === plain || wire === fileName(plain);
  });
  return found === undefined || index === undefined ? found : [...found, Number(index)];
}

/** The parts of an experiment that make a specification, by their names in the file. */
function partsOf({ model, sections }: Experiment): Section {
  return { model, ...sections };
}

function leavesAt(experiment: Experiment, path: ValuePath): ValuePath[] {
  const value = path.reduce<unknown>(
    (at, part) => (at as Record<string, unknown> | undefined)?.[part],
    partsOf(experiment),
  );
  return leavesOf(value as SectionValue | undefined, path);
}

function leavesOf(value: SectionValue | undefined, path: ValuePath): ValuePath[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || Array.isArray(value)) return [path];
  return Object.entries(value as Section).flatMap(([name, inner]) => leavesOf(inner, [...path, name]));
}

function without(experiment: Experiment, path: ValuePath): Experiment {
  const copy = structuredClone(partsOf(experiment)) as Record<string, Section>;
  writeAt(
    copy,
    path.filter((part) => typeof part === "string"),
    undefined,
  );
  const { model = {}, ...sections } = copy;
  return { ...experiment, model, sections };
}
