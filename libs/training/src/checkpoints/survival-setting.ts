import { parseTask, type Task } from "@parfocal/models";
import { invalidSetting, type SettingReader } from "./layout.ts";

/**
 * The task of a checkpoint whose outputs are hazards of intervals of time, when the setting `task` says `survival`; else undefined. The
 * setting `bins` holds the `nLogits` + 1 edges of the intervals, which ascend from 0 in the unit that times are told in: no checkpoint
 * has them. The last interval is open above.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the setting and what it must be.
 */
export function readSurvivalSetting(settings: SettingReader, nLogits: number): Task | undefined {
  const [task, bins] = [settings.optional("task"), settings.optional("bins")];
  if (task === undefined) {
    if (bins === undefined) return undefined;
    throw invalidSetting("bins", bins, "left out without task=survival");
  }
  if (task !== "survival") throw invalidSetting("task", task, "survival, or left out for classes");
  return parseTask({ kind: "survival", edges: readEdges(bins ?? "", nLogits) });
}

function readEdges(text: string, nLogits: number): number[] {
  const edges = text
    .split(",")
    .map((part) => (/^\s*\d{1,9}(?:\.\d{1,9})?\s*$/u.test(part) ? Number(part) : Number.NaN));
  const isAscending = edges.every((edge, i) => (i === 0 ? edge === 0 : edge > (edges[i - 1] ?? edge)));
  if (isAscending && edges.length === nLogits + 1) return edges;
  const rule = `${nLogits + 1} times that ascend from 0, the edges of the checkpoint's ${nLogits} intervals, e.g. 0,12,24`;
  throw invalidSetting("bins", text, rule);
}
