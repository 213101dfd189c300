import { readFile } from "node:fs/promises";
import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { TaskName } from "./infer-task.ts";
import { isMissingClass, missingNotes } from "./label-classes.ts";
import { type Matching, matchBags } from "./match-bags.ts";
import { type LabelForm, type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

/** What `--labels` is set to for the labels that the importer found in the files. */
export const FROM_BAGS = "from-bags";

/** How a labels table is read. */
export interface TableWish
  extends Pick<ParseLabelsOptions, "labelColumn" | "timeColumn" | "eventColumn" | "siteColumn" | "classes"> {
  /** Path of a table of patients that has the labels. */
  readonly clinical?: string;
  /** Path of a split file. */
  readonly splits?: string;
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

/** Matches a labels table, or the labels that the bags brought themselves, with bags. */
export async function readLabels(
  path: string,
  bags: readonly gatewayV1.Bag[],
  { clinical, splits, kind, labelColumn, timeColumn, eventColumn, siteColumn, classes }: TableWish = {},
): Promise<Matching> {
  if (path === FROM_BAGS) return labelsOfBags(bags, classes);
  const form = kind && FORMS[kind];
  const options = {
    ...(labelColumn === undefined ? {} : { labelColumn }),
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(eventColumn === undefined ? {} : { eventColumn }),
    ...(siteColumn === undefined ? {} : { siteColumn }),
    ...(classes === undefined ? {} : { classes }),
    ...(form && { form }),
    ...(kind && { isMultilabel: kind === "multilabel" }),
    ...(clinical === undefined ? {} : { clinical: await readText("clinical", clinical) }),
    ...(splits === undefined ? {} : { splits: await readText("splits", splits) }),
  };
  return matchBags(parseLabels(await readText("labels", path), options), bags);
}

function readText(what: string, path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`the ${what} table ${path} cannot be read (${cause.code})`);
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
