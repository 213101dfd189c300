import { readFile } from "node:fs/promises";
import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { type Matching, matchBags } from "./match-bags.ts";
import { type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

/** What `--labels` is set to for the labels that the importer found in the files. */
export const FROM_BAGS = "from-bags";

/** Matches a labels table, or the labels that the bags brought themselves, with bags. */
export async function readLabels(
  path: string,
  bags: readonly gatewayV1.Bag[],
  options: ParseLabelsOptions = {},
): Promise<Matching> {
  if (path === FROM_BAGS) return labelsOfBags(bags);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`the labels table ${path} cannot be read (${cause.code})`);
  });
  return matchBags(parseLabels(text, options), bags);
}

function labelsOfBags(bags: readonly gatewayV1.Bag[]): Matching {
  const matched = bags
    .filter(({ info }) => (info?.sourceLabel ?? "") !== "")
    .map((bag, index) => {
      const { slideId = "", sourceLabel = "" } = bag.info ?? {};
      return { bag, row: { line: index + 1, slide: slideId, labels: [sourceLabel], unknownLabels: [] } };
    });
  if (matched.length === 0) throw new UsageError("no bag of the project brought a label from its file");
  return { matched, problems: [] };
}
