import { access, constants } from "node:fs/promises";
import type { TaskName } from "../cohort/infer-task.ts";
import { missingColumns } from "../cohort/named-columns.ts";
import { type LabelRow, labelTable } from "../cohort/parse-labels.ts";
import {
  FROM_BAGS,
  type LabelTexts,
  parseOptionsOf,
  readLabelTexts,
  readTableFile,
  readTables,
  type TableWish,
} from "../cohort/read-labels.ts";
import { SettingError, type SettingPlace } from "../setting-error.ts";
import type { Experiment } from "./experiment.ts";

/** How the labels of an experiment are read. */
export function tableWishOf({ data, task }: Pick<Experiment, "data" | "task">): TableWish {
  const kind = task?.kind as TaskName | undefined;
  const classes = task?.classes as readonly string[] | undefined;
  return { ...data, ...(kind && { kind }), ...(classes && { classes }) };
}

/** The files of an experiment as they lie there. */
export interface LookedUp {
  /** Paths that cannot be read, columns that the tables lack, a table that cannot be read as labels. */
  readonly problems: readonly SettingError[];
  /** Of the labels table; absent where it has problems or the labels are the bags' own. */
  readonly rows?: readonly LabelRow[];
}

/** Reads the files that an experiment names, without a service. */
export async function lookUpData(experiment: Pick<Experiment, "data" | "task">): Promise<LookedUp> {
  const { labels, files } = experiment.data;
  const unreadable = await Promise.all(files.map((path, index) => accessProblems({ setting: "files", index }, path)));
  const tables: LookedUp = labels === FROM_BAGS ? { problems: [] } : await lookUpTables(experiment);
  return { ...tables, problems: [...tables.problems, ...unreadable.flat()] };
}

async function lookUpTables(experiment: Pick<Experiment, "data" | "task">): Promise<LookedUp> {
  const { labels, clinical, splits = [] } = experiment.data;
  const unreadable = await Promise.all([
    problemsOf(() => readTableFile({ setting: "labels" }, labels)),
    ...(clinical === undefined ? [] : [problemsOf(() => readTableFile({ setting: "clinical" }, clinical))]),
    ...splits.map((path, index) => problemsOf(() => readTableFile({ setting: "splits", index }, path))),
  ]);
  if (unreadable.flat().length > 0) return { problems: unreadable.flat() };
  const wish = tableWishOf(experiment);
  const texts = await readLabelTexts(labels, wish);
  const missing = columnProblems(texts, wish);
  return missing.length > 0 ? { problems: missing } : readRows(texts, wish);
}

function readRows(texts: LabelTexts, wish: TableWish): LookedUp {
  try {
    return { problems: [], rows: readTables(texts, wish).rows };
  } catch (error) {
    if (error instanceof SettingError) return { problems: [error] };
    throw error;
  }
}

/** All columns that are named and not there, at once; none where the table is none, which reading it tells. */
function columnProblems(texts: LabelTexts, wish: TableWish): SettingError[] {
  try {
    return missingColumns(labelTable(texts.labels, texts), parseOptionsOf(texts, wish));
  } catch (error) {
    if (error instanceof SettingError) return [];
    throw error;
  }
}

async function accessProblems(place: SettingPlace, path: string): Promise<SettingError[]> {
  return access(path, constants.R_OK).then(
    () => [],
    ({ code }: NodeJS.ErrnoException) => [
      new SettingError(
        place,
        code === "ENOENT" ? `there is no file or folder ${path}` : `${path} cannot be read (${code})`,
      ),
    ],
  );
}

/** What doing something says of a setting. */
async function problemsOf(work: () => unknown): Promise<SettingError[]> {
  try {
    await work();
    return [];
  } catch (error) {
    if (error instanceof SettingError) return [error];
    throw error;
  }
}
