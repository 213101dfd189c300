import { resolve as resolvePath } from "node:path";
import { FROM_BAGS } from "../cohort/read-labels.ts";
import { applyTaskSettings } from "../cohort/spec-settings.ts";
import { createTrainingSpec, type SpecOptions } from "../cohort/training-spec.ts";
import { DEFAULT_SEED } from "../default-seed.ts";
import { UsageError } from "../exit-codes.ts";
import { DEFAULT_FOLDS, type Experiment } from "./experiment.ts";
import { foldConflicts } from "./fold-conflicts.ts";
import { given } from "./given.ts";
import type { RunnableExperiment } from "./load-experiment.ts";

/** Options of the command line that make an experiment without a file. */
export interface ExperimentOptions extends SpecOptions {
  readonly model?: string;
  readonly labels?: string;
  readonly labelColumn?: string;
  readonly timeColumn?: string;
  readonly eventColumn?: string;
  readonly siteColumn?: string;
  readonly foldColumn?: string;
  readonly splits?: readonly string[];
  readonly clinical?: string;
  readonly preset?: string;
  readonly startFrom?: string;
  readonly task?: string;
  readonly classes?: readonly string[];
  readonly folds?: number;
  readonly repeats?: number;
  readonly out?: string;
}

/**
 * The experiment that options say.
 *
 * @throws {UsageError} without labels, and for options that mean nothing.
 */
export async function experimentFromOptions(options: ExperimentOptions): Promise<RunnableExperiment> {
  const { labels, preset, startFrom, seed = DEFAULT_SEED, model: name = "crossval" } = options;
  if (labels === undefined) throw new UsageError("give --labels, or an experiment by -f");
  // What is wrong without a preset and a model to start from is wrong before any service starts.
  if (preset === undefined && startFrom === undefined) createTrainingSpec(options);
  const { resolveTrainingSpec: resolve } = await import("@parfocal/service-aggregate/resolve-spec");
  const { labelColumn, timeColumn, eventColumn, siteColumn, foldColumn, clinical, task: kind, classes } = options;
  const experiment: Experiment = {
    name,
    data: {
      labels: labels === FROM_BAGS ? labels : resolvePath(labels),
      files: [],
      ...given({ labelColumn, timeColumn, eventColumn, siteColumn, foldColumn }),
      ...given({ splits: options.splits?.map((path) => resolvePath(path)) }),
      ...given({ clinical: clinical === undefined ? undefined : resolvePath(clinical) }),
    },
    task: given({ kind, classes }),
    folds: options.folds ?? DEFAULT_FOLDS,
    ...(options.folds !== undefined && { foldsFrom: "experiment" }),
    repeats: options.repeats ?? 1,
    ...given({ preset, startFrom }),
    model: {},
    sections: {},
    seeds: [seed],
    heatmaps: 0,
    output: resolvePath(options.out ?? `results/${name}`),
  };
  const [conflict] = foldConflicts(experiment);
  if (conflict !== undefined) throw new UsageError(`--${conflict.option} ${conflict.message}`);
  return {
    ...{ experiment, resolve },
    specOf: (of, base) => createTrainingSpec({ ...options, seed: of }, base),
    taskOf: (task) => applyTaskSettings(task, options.set),
  };
}
