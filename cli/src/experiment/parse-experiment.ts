import { dirname, resolve } from "node:path";
import type { z } from "zod";
import { FROM_BAGS } from "../cohort/read-labels.ts";
import { applyOverrides, parseOverride } from "./apply-overrides.ts";
import { DEFAULT_FOLDS, DEFAULT_SEED, type Experiment, type Section } from "./experiment.ts";
import { EXPERIMENT_SCHEMA } from "./experiment-schema.ts";
import { type ProblemContext, problemsOf } from "./find-problems.ts";
import { ExperimentError } from "./problem.ts";
import { readDocument } from "./read-document.ts";

/** An experiment with what later problems are told about. */
export interface ParsedExperiment {
  readonly experiment: Experiment;
  /** As the user named it. */
  readonly file: string;
  readonly context: ProblemContext;
}

/**
 * An experiment from its YAML text and overrides of the command line, checked for names and types. Paths count from the folder of
 * the file and come out absolute.
 *
 * @param file Path of the file, for messages and paths.
 * @throws {ExperimentError} with all problems and their places. @throws {UsageError} for an override that is none.
 */
export function parseExperiment(text: string, file: string, overrides: readonly string[] = []): ParsedExperiment {
  const document = readDocument(text, file);
  const parsed = overrides.map(parseOverride);
  const values = applyOverrides(document.value, parsed);
  const context = { document, overrides: parsed, values };
  const result = EXPERIMENT_SCHEMA.safeParse(values);
  if (!result.success) throw new ExperimentError(file, problemsOf(result.error.issues, context));
  return { experiment: experimentOf(result.data, dirname(file)), file, context };
}

function experimentOf(read: z.infer<typeof EXPERIMENT_SCHEMA>, folder: string): Experiment {
  const { name, data, task, split = {}, model = {}, recipe, threshold, groups, seeds, output } = read;
  const { folds, repeats, ...shares } = split;
  const { preset, start_from: startFrom, ...architecture } = model;
  const { labels, label_column: labelColumn, files = [] } = data;
  return {
    name,
    data: {
      labels: labels === FROM_BAGS ? labels : resolve(folder, labels),
      ...(labelColumn === undefined ? {} : { labelColumn }),
      files: files.map((path) => resolve(folder, path)),
    },
    ...(task && { task: sectionOf(task) }),
    split: sectionOf(shares),
    folds: folds ?? DEFAULT_FOLDS,
    repeats: repeats ?? 1,
    ...(preset === undefined ? {} : { preset }),
    ...(startFrom === undefined ? {} : { startFrom }),
    model: sectionOf(architecture),
    recipe: sectionOf(recipe ?? {}),
    ...(threshold && { threshold: sectionOf(threshold) }),
    ...(groups && { groups: sectionOf(groups) }),
    seeds: seeds ?? [DEFAULT_SEED],
    output: resolve(folder, output ?? `results/${name}`),
  };
}

/** The schema's values are sections; their types are only known when the program runs. */
function sectionOf(value: object): Section {
  return value as Section;
}
