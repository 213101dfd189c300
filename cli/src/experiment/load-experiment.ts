import { readFile } from "node:fs/promises";
import type { commonV1 } from "@parfocal/protocol";
import { type TaskName, taskNameOf } from "../cohort/infer-task.ts";
import type { LabelRow } from "../cohort/parse-labels.ts";
import { UsageError } from "../exit-codes.ts";
import { checkValues } from "./check-values.ts";
import type { Experiment } from "./experiment.ts";
import type { ResolveSpec } from "./fill-defaults.ts";
import { type Locate, locateIn } from "./locate-settings.ts";
import { lookUpData } from "./look-up-data.ts";
import { type ParsedExperiment, parseExperiment } from "./parse-experiment.ts";
import { parseVariants } from "./parse-variants.ts";
import { ExperimentError, type Problem } from "./problem.ts";
import { taskFromExperiment } from "./spec-from-experiment.ts";

/** An experiment that may run, and the reader that knows its defaults. */
export interface RunnableExperiment {
  readonly experiment: Experiment;
  readonly resolve: ResolveSpec;
  /** Makes the specification of a seed, without a task, of what presets say; absent: as the experiment's sections say. */
  readonly specOf?: (seed: bigint, base: commonV1.TrainingSpec | undefined) => commonV1.TrainingSpec;
  /** The task with what options say of it; absent: the experiment's section says all. */
  readonly taskOf?: (task: commonV1.Task) => commonV1.Task;
  /** As the user named it; absent: there is none. */
  readonly file?: string;
  /** Absent without a file. */
  readonly locate?: Locate;
  /** Of the labels table, as they were read before anything started; absent: it is read later, or the labels are the bags' own. */
  readonly rows?: readonly LabelRow[];
}

/** An experiment of a file, which knows the places of its values. */
interface FiledExperiment extends RunnableExperiment {
  readonly locate: Locate;
}

/** An experiment of a file, with the variants of it that the file names. */
export interface LoadedExperiment extends FiledExperiment {
  readonly variants: readonly (FiledExperiment & { readonly name: string })[];
}

/**
 * Reads and checks an experiment file with overrides, and the files that it names, before any service starts.
 *
 * @throws {ExperimentError} with everything that is wrong with it. @throws {UsageError} for a file that cannot be read.
 */
export async function loadExperiment(file: string, overrides: readonly string[]): Promise<LoadedExperiment> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`the experiment ${file} cannot be read (${cause.code})`);
  });
  const parsed = parseExperiment(text, file, overrides);
  const locate = locateIn(parsed);
  const { problems, rows } = await lookUpData(parsed.experiment);
  const inferred = rows && inferredTask(parsed.experiment, rows);
  // Behind it is the service's own reader, which takes a second to load.
  const { resolveTrainingSpec: resolve } = await import("@parfocal/service-aggregate/resolve-spec");
  const variants = withProblems(parsed, locate(problems), () => {
    checkValues(parsed, resolve, inferred);
    return parseVariants(parsed, resolve, inferred);
  });
  const shared = { resolve, file, ...(rows && { rows }) };
  return {
    ...{ experiment: parsed.experiment, locate, ...shared },
    variants: variants.map((variant) => ({ ...variant, ...shared })),
  };
}

/** What the labels decide; undefined where they make no task, which is told when they meet their bags. */
function inferredTask(experiment: Experiment, rows: readonly LabelRow[]): TaskName | undefined {
  try {
    return taskNameOf(taskFromExperiment(experiment, rows).kind);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** Tells problems that are known together with those that `check` finds. */
function withProblems<T>({ file }: ParsedExperiment, known: readonly Problem[], check: () => T): T {
  try {
    const value = check();
    if (known.length === 0) return value;
  } catch (error) {
    if (!(error instanceof ExperimentError)) throw error;
    throw new ExperimentError(file, [...known, ...error.problems]);
  }
  throw new ExperimentError(file, known);
}
