import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { FROM_BAGS, readLabels, type TableWish } from "./read-labels.ts";

const bagOf = (slideId: string, sourceLabel = "") =>
  gatewayV1.Bag.fromPartial({ name: `projects/p/bags/${slideId}`, info: { slideId, sourceLabel } });

async function readTable(text: string, wish: TableWish) {
  const folder = await mkdtemp(join(tmpdir(), "labels-"));
  try {
    await writeFile(join(folder, "labels.csv"), text);
    return await readLabels(
      join(folder, "labels.csv"),
      ["s1", "s2", "s3"].map((slide) => bagOf(slide)),
      wish,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("labels of a table", () => {
  it.each<[TableWish, number]>([
    [{}, 1],
    [{ kind: "binary" }, 1],
    [{ kind: "multilabel" }, 2],
    [{ classes: ["NA", "a"] }, 2],
    [{ kind: "multilabel", classes: ["NA", "a"] }, 3],
  ])("are missing or not by what is decided: %j", async (wish, nMatched) => {
    const { matched, notes } = await readTable("slide_id,label\ns1,a\ns2,\ns3,NA\n", wish);
    expect(matched).toHaveLength(nMatched);
    expect(notes).toHaveLength(nMatched === 3 ? 0 : 1);
  });
});

describe("labels that bags brought", () => {
  const bags = [bagOf("s1", "a"), bagOf("s2"), bagOf("s3", "NA"), bagOf("s4", "b")];

  it("are classes, and a word for a missing one is left out and counted", async () => {
    const { matched, notes } = await readLabels(FROM_BAGS, bags);
    expect(matched.map(({ row }) => row.labels)).toEqual([["a"], ["b"]]);
    expect(notes).toEqual(['1 bag without a label: left out (1 "NA"); state the classes to keep such a word as one']);
  });

  it("keep a word that the stated classes have", async () => {
    const { matched, notes } = await readLabels(FROM_BAGS, bags, { classes: ["a", "b", "NA"] });
    expect(matched.map(({ row }) => row.labels)).toEqual([["a"], ["NA"], ["b"]]);
    expect(notes).toEqual([]);
  });
});
