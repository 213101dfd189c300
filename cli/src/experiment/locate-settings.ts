import type { Setting, SettingError, SettingPlace } from "../setting-error.ts";
import { type ProblemContext, problemAt } from "./find-problems.ts";
import type { ParsedExperiment } from "./parse-experiment.ts";
import { type Problem, pathText, type ValuePath, valueAt } from "./problem.ts";

/** Where an experiment file has what the command line has as options. */
const PATHS: Readonly<Record<Setting, ValuePath>> = {
  labels: ["data", "labels"],
  clinical: ["data", "clinical"],
  splits: ["data", "splits"],
  files: ["data", "files"],
  labelColumn: ["data", "label_column"],
  timeColumn: ["data", "time_column"],
  eventColumn: ["data", "event_column"],
  siteColumn: ["data", "site_column"],
  foldColumn: ["data", "fold_column"],
  task: ["task"],
  folds: ["split", "folds"],
  repeats: ["split", "repeats"],
  preset: ["model", "preset"],
  startFrom: ["model", "start_from"],
};

/** Tells what is wrong with settings at their places in the file. */
export type Locate = (errors: readonly SettingError[]) => Problem[];

/** The places of an experiment's own values. */
export function locateIn({ context }: Pick<ParsedExperiment, "context">): Locate {
  return (errors) => errors.map((error) => problemOf(error, context));
}

function problemOf({ place, message }: SettingError, context: ProblemContext): Problem {
  const path = pathOf(place, context.values);
  return problemAt(path, `${pathText(path)}: ${message}`, context);
}

/** The path of a value. Of one that may be a list and is none, and of a list of other length, that of the whole. */
export function pathOf({ setting, index }: SettingPlace, values: unknown): ValuePath {
  const path = PATHS[setting];
  const value = valueAt(values, path);
  return index !== undefined && Array.isArray(value) && index in value ? [...path, index] : path;
}
