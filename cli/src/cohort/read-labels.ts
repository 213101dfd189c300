import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { about, SettingError, type SettingPlace } from "../setting-error.ts";
import type { SplitsTable } from "./assign-splits.ts";
import type { TaskName } from "./infer-task.ts";
import { isMissingClass, missingNotes } from "./label-classes.ts";
import type { LabelForm } from "./label-reader.ts";
import { type Matching, matchBags } from "./match-bags.ts";
import { type LabelTable, type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

/** What `--labels` is set to for the labels that the importer found in the files. */
export const FROM_BAGS = "from-bags";

/** How a labels table is read. */
export interface TableWish
  extends Pick<
    ParseLabelsOptions,
    "labelColumn" | "timeColumn" | "eventColumn" | "siteColumn" | "foldColumn" | "classes"
  > {
  /** Path of a table of patients that has the labels. */
  readonly clinical?: string;
  /** Paths of split files; several are folds, in the natural order of their names. */
  readonly splits?: readonly string[];
  /** What is decided, as far as it is known; absent: what the table looks like. */
  readonly kind?: TaskName;
}

/** What the labels of each kind of task are. */
const FORMS: Readonly<Partial<Record<TaskName, LabelForm>>> = {
  binary: "classes",
  multiclass: "classes",
  multilabel: "classes",
  ordinal: "classes",
  regression: "numbers",
  survival: "events",
  cox: "events",
};

/**
 * Matches a labels table, or the labels that the bags brought themselves, with bags.
 *
 * @throws {SettingError} for files that cannot be read, and tables that are none.
 */
export async function readLabels(
  path: string,
  bags: readonly gatewayV1.Bag[],
  wish: TableWish = {},
): Promise<Matching> {
  if (path === FROM_BAGS) return about({ setting: "labels" }, () => labelsOfBags(bags, wish.classes));
  return matchBags(readTables(await readLabelTexts(path, wish), wish), bags);
}

/** The files of a labels table as text. */
export interface LabelTexts {
  readonly labels: string;
  readonly clinical?: string;
  /** In the natural order of their names. */
  readonly splits?: readonly SplitsTable[];
}

/** Reads the files of a labels table. @throws {SettingError} for the first that cannot be read. */
export async function readLabelTexts(
  path: string,
  { clinical, splits }: Pick<TableWish, "clinical" | "splits">,
): Promise<LabelTexts> {
  return {
    labels: await readTableFile({ setting: "labels" }, path),
    ...(clinical === undefined ? {} : { clinical: await readTableFile({ setting: "clinical" }, clinical) }),
    ...(splits === undefined ? {} : { splits: await readSplits(splits) }),
  };
}

/** The rows of a labels table. @throws {SettingError} see {@link parseLabels}. */
export function readTables(texts: LabelTexts, wish: TableWish): LabelTable {
  return parseLabels(texts.labels, parseOptionsOf(texts, wish));
}

/** How a table is read for what is decided. */
export function parseOptionsOf(
  { clinical, splits }: Omit<LabelTexts, "labels">,
  { kind, labelColumn, timeColumn, eventColumn, siteColumn, foldColumn, classes }: TableWish,
): ParseLabelsOptions {
  const form = kind && FORMS[kind];
  return {
    ...(labelColumn === undefined ? {} : { labelColumn }),
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(eventColumn === undefined ? {} : { eventColumn }),
    ...(siteColumn === undefined ? {} : { siteColumn }),
    ...(foldColumn === undefined ? {} : { foldColumn }),
    ...(classes === undefined ? {} : { classes }),
    ...(form && { form }),
    ...(kind && { isMultilabel: kind === "multilabel" }),
    ...(clinical === undefined ? {} : { clinical }),
    ...(splits === undefined ? {} : { splits }),
  };
}

/** `splits_10` comes behind `splits_9`, wherever the shell puts it. */
function readSplits(paths: readonly string[]): Promise<SplitsTable[]> {
  const sorted = [...paths.entries()].sort(([, a], [, b]) => a.localeCompare(b, "en", { numeric: true }));
  return Promise.all(
    sorted.map(async ([index, path]): Promise<SplitsTable> => {
      const text = await readTableFile({ setting: "splits", index }, path);
      return paths.length === 1 ? { text, index } : { text, index, what: `the splits table ${basename(path)}` };
    }),
  );
}

/** The text of a file of a table, UTF-8. @throws {SettingError} when it cannot be read. */
export function readTableFile(place: SettingPlace, path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new SettingError(place, `the ${place.setting} table ${path} cannot be read (${cause.code})`, { cause });
  });
}

function labelsOfBags(bags: readonly gatewayV1.Bag[], classes: readonly string[] = []): Matching {
  const brought = bags.filter(({ info }) => (info?.sourceLabel ?? "") !== "");
  const without = new Set(
    brought.filter((bag) => isMissingClass(labelOf(bag), "the label that a bag brought", { classes })),
  );
  const labelled = brought.filter((bag) => !without.has(bag));
  const matched = labelled.map((bag, index) => {
    const slide = bag.info?.slideId ?? "";
    return { bag, row: { line: index + 1, slide, labels: [labelOf(bag)], unknownLabels: [] } };
  });
  if (matched.length === 0) throw new UsageError("no bag of the project brought a label from its file");
  return { matched, problems: [], notes: missingNotes([...without].map(labelOf), "bag") };
}

function labelOf({ info }: gatewayV1.Bag): string {
  return info?.sourceLabel ?? "";
}
