import { FROM_BAGS } from "../cohort/read-labels.ts";
import type { Setting } from "../setting-error.ts";
import type { Experiment } from "./experiment.ts";
import type { ValuePath } from "./problem.ts";

/** A value that says something else than the folds of the tables do. */
export interface FoldConflict {
  readonly setting: Setting;
  /** In an experiment file. */
  readonly path: ValuePath;
  /** On the command line, without dashes. */
  readonly option: string;
  /** The end of a sentence that begins with the value's name. */
  readonly message: string;
}

type Asked = Pick<Experiment, "data" | "folds" | "foldsFrom" | "repeats">;

/**
 * What an experiment asks of folds beside those that its tables give; empty where they give none.
 *
 * @param source who gives the folds; absent: as far as the experiment itself tells. A single splits file tells when it is read.
 */
export function foldConflicts({ data, folds, foldsFrom, repeats }: Asked, source = sourceOf(data)): FoldConflict[] {
  if (source === undefined) return [];
  const { siteColumn, foldColumn, splits, labels } = data;
  const found: (FoldConflict | false)[] = [
    foldsFrom === "experiment" && at("folds", "split", "folds", `is ${folds}; the folds are those of ${source}`),
    repeats > 1 && at("repeats", "split", "repeats", `is ${repeats}; the folds of ${source} are tested once`),
    siteColumn !== undefined &&
      at("siteColumn", "data", "site_column", `is "${siteColumn}"; the folds are those of ${source}`),
    foldColumn !== undefined &&
      splits !== undefined &&
      at("splits", "data", "splits", `is beside a column of folds; give one`),
    labels === FROM_BAGS && at("labels", "data", "labels", `is ${FROM_BAGS}; folds take a labels table`),
  ];
  return found.filter((each) => each !== false);
}

function sourceOf({ foldColumn, splits = [] }: Experiment["data"]): string | undefined {
  if (foldColumn !== undefined) return `the column ${foldColumn}`;
  return splits.length > 1 ? "the splits files" : undefined;
}

function at(setting: Setting, group: string, name: string, message: string): FoldConflict {
  return { setting, path: [group, name], option: name.replaceAll("_", "-"), message };
}
