import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import type { LabelRow } from "./label-row.ts";
import { shareGroupLabels } from "./share-group-labels.ts";

const { KIND_JOINED, KIND_NONE } = commonV1.GroupRule_Kind;
const of = (slide: string, row: Partial<LabelRow>) => ({
  row: { line: 1, slide, patient: "p", labels: [], unknownLabels: [], ...row },
  bag: gatewayV1.Bag.fromPartial({ name: slide }),
});
const shared = (kind: commonV1.GroupRule_Kind, rows: ReturnType<typeof of>[]) =>
  shareGroupLabels(rows, { kind }).map(({ row: { labels, unknownLabels, values } }) => [labels, unknownLabels, values]);

describe("labels of slides that have them together", () => {
  it("are known of all where they are known of one, true or not", () => {
    const rows = [
      of("a", { labels: ["kras"], unknownLabels: ["braf", "tp53"] }),
      of("b", { unknownLabels: ["kras", "tp53"] }),
      of("c", { patient: "other", unknownLabels: ["kras"] }),
    ];
    expect(shared(KIND_JOINED, rows)).toEqual([
      [["kras"], ["tp53"], undefined],
      [["kras"], ["tp53"], undefined],
      [[], ["kras"], undefined],
    ]);
    expect(shared(KIND_NONE, rows)[1]).toEqual([[], ["kras", "tp53"], undefined]);
  });

  it("complete numbers, and leave contradictions to be refused", () => {
    const rows = [of("a", { values: { ki67: 1 } }), of("b", { values: { ki67: 2, til: 3 } }), of("c", { group: "g" })];
    expect(shared(KIND_JOINED, rows).map(([, , values]) => values)).toEqual([
      { ki67: 1, til: 3 },
      { ki67: 2, til: 3 },
      undefined,
    ]);
  });
});
