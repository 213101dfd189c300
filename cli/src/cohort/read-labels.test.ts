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

describe("splits files", () => {
  it("are folds in the natural order of their names, and said by these", async () => {
    const folder = await mkdtemp(join(tmpdir(), "splits-"));
    try {
      await writeFile(join(folder, "labels.csv"), "slide_id,label\ns1,a\ns2,b\n");
      await writeFile(join(folder, "splits_10.csv"), ",train,test\n0,s1,s2\n");
      await writeFile(join(folder, "splits_9.csv"), ",train,test\n0,s2,s1\n");
      const bags = ["s1", "s2"].map((slide) => bagOf(slide));
      const read = (...names: string[]) =>
        readLabels(join(folder, "labels.csv"), bags, { splits: names.map((name) => join(folder, name)) });
      const { matched } = await read("splits_10.csv", "splits_9.csv");
      expect(matched.map(({ row }) => row.foldParts)).toEqual([["test", "train"], ["train", "test"]]); // biome-ignore format: one line
      expect((await read("splits_9.csv")).matched.map(({ row }) => row.part)).toEqual(["test", "train"]);
      await expect(read("splits_9.csv", "labels.csv")).rejects.toThrow(
        "the splits table labels.csv has no column train",
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
