import { dirname, resolve } from "node:path";
import type { z } from "zod";
import { FROM_BAGS } from "../cohort/read-labels.ts";
import { DEFAULT_SEED } from "../default-seed.ts";
import { applyOverrides, parseOverride } from "./apply-overrides.ts";
import { DEFAULT_FOLDS, DEFAULT_HEATMAPS, type Experiment, type Section } from "./experiment.ts";
import { EXPERIMENT_SCHEMA } from "./experiment-schema.ts";
import { type ProblemContext, problemAt, problemsOf } from "./find-problems.ts";
import { foldConflicts } from "./fold-conflicts.ts";
import { given } from "./given.ts";
import { ExperimentError, type Problem, pathText } from "./problem.ts";
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
  const experiment = experimentOf(result.data, dirname(file));
  const conflicts = foldConflicts(experiment).map(({ path, message }) =>
    problemAt(path, `${pathText(path)} ${message}`, context),
  );
  const problems = [...conflicts, ...repeatedSeeds(experiment.seeds, context)];
  if (problems.length > 0) throw new ExperimentError(file, problems);
  return { experiment, file, context };
}

/** Seeds that were given before: results of the second would be written over those of the first. */
function repeatedSeeds(seeds: readonly bigint[], context: ProblemContext): Problem[] {
  return [...seeds.entries()]
    .filter(([index, seed]) => seeds.indexOf(seed) < index)
    .map(([index, seed]) => {
      const message = `seeds[${index}] is ${seed}, as is seeds[${seeds.indexOf(seed)}]; each seed is given once, its results have a folder of their own`;
      return problemAt(["seeds", index], message, context);
    });
}

/** An experiment of values that the schema has read; paths count from `folder`. */
export function experimentOf(read: z.infer<typeof EXPERIMENT_SCHEMA>, folder: string): Experiment {
  const { name, data, task, model = {}, seeds, report, output, resolved: _, variants: __, ...rest } = read;
  const { preset, start_from: startFrom, ...architecture } = model;
  const { split, ...others } = rest as Readonly<Record<string, Section | undefined>>;
  const { folds, repeats, ...shares } = split ?? {};
  return {
    name,
    data: dataOf(data, folder),
    ...(task && { task: task as Section }),
    folds: (folds as number | undefined) ?? DEFAULT_FOLDS,
    ...(folds !== undefined && { foldsFrom: "experiment" }),
    repeats: (repeats as number | undefined) ?? 1,
    ...(preset === undefined ? {} : { preset }),
    ...(startFrom === undefined ? {} : { startFrom }),
    model: architecture as Section,
    sections: given({ split: Object.keys(shares).length === 0 ? undefined : shares, ...others }),
    seeds: seeds ?? [DEFAULT_SEED],
    heatmaps: report?.heatmaps ?? DEFAULT_HEATMAPS,
    output: resolve(folder, output ?? `results/${name}`),
  };
}

function dataOf(data: z.infer<typeof EXPERIMENT_SCHEMA>["data"], folder: string): Experiment["data"] {
  const { labels, files = [], clinical, splits } = data;
  const local = (path: string | undefined) => (path === undefined ? undefined : resolve(folder, path));
  return {
    labels: labels === FROM_BAGS ? labels : resolve(folder, labels),
    files: files.map((path) => resolve(folder, path)),
    ...given({ clinical: local(clinical) }),
    ...given({ splits: splits?.map((path) => resolve(folder, path)) }),
    ...given({
      labelColumn: data.label_column?.join(","),
      timeColumn: data.time_column,
      eventColumn: data.event_column,
    }),
    ...given({ siteColumn: data.site_column, foldColumn: data.fold_column }),
  };
}
