import { type Bag, writeBag } from "@parfocal/bags";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { LabelledBag, TrainDeps } from "./job.ts";
import { planTraining } from "./plan.ts";
import { cellsOf, regionBag } from "./testing/region-bags.ts";
import { decisiveSpecJson, parseTrainSpec, trainSpecJson } from "./train-spec.ts";

const store = createMemoryStore();
const SIGNAL = new AbortController().signal;
const HEAD = { kind: "gated-abmil", hidden: [6], attentionWidth: 4 };
const TASK = { kind: "binary", classes: ["no", "yes"] };
const MIXER = { kind: "region-mixer", regionTiles: 2, width: 8, heads: 2, depth: 1 };

/** Bags of 2 × 2 coarse tiles as `change` makes them, of two classes in turn. */
async function cohortOf(nBags: number, change: (bag: Bag, index: number) => Bag = (bag) => bag, lacks?: LackRule) {
  const bags: LabelledBag[] = [];
  for (let index = 0; index < nBags; index++) {
    const isMissing = ({ m }: { readonly m: number }) => lacks?.(index, m) ?? false;
    const bag = regionBag({ cells: cellsOf(2, 2), levelCount: 3, d: 6, seed: BigInt(index + 1), isMissing });
    const part = index < nBags - 2 ? "train" : "validation";
    bags.push({
      bag: await writeBag(store, "bags/", change(bag, index)),
      label: index % 2,
      patient: `p${index}`,
      part,
    });
  }
  return bags;
}

type LackRule = (index: number, m: number) => boolean;

/** Nothing is computed. */
function plan(bags: readonly LabelledBag[], reembed: object | undefined, recipe: object = {}) {
  const model = { ...(reembed && { reembed }), head: HEAD, task: TASK };
  const spec = parseTrainSpec({ model, ...recipe });
  return planTraining({ spec, bags }, { store, name: "t" } as unknown as TrainDeps, SIGNAL);
}

const short = ({ bag }: LabelledBag) => bag.digest.slice(0, 12);

describe("bags that lack the magnifications that a model looks at", () => {
  it("are named at once, before anything is computed: how many, which magnifications, the first few digests", async () => {
    const bags = await cohortOf(12, undefined, (index, m) => index >= 3 && index < 10 && m === 2);
    const lacking = bags.slice(3, 10);
    await expect(plan(bags, { ...MIXER, levels: [2] })).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message:
        "7 of 12 bags have no tile of the magnifications 2 (0: the coarsest) that the model looks at " +
        `(${lacking.slice(0, 5).map(short).join(", ")} and 2 more)`,
      details: {
        ...{ field: "levels", expected: "2", bagCount: "7" },
        bagDigests: lacking
          .slice(0, 5)
          .map(({ bag }) => bag.digest)
          .join(","),
      },
    });
    // What has some of them is taken, as before.
    await expect(plan(bags, MIXER)).resolves.toMatchObject({ inputs: { length: 12 } });
  });

  it("are told apart from those of another number of magnifications", async () => {
    const bags = await cohortOf(
      6,
      (bag, index) => {
        if (index !== 4) return bag;
        const { level: _, ...rest } = bag;
        return { ...rest, metadata: { encoder: "planted" } };
      },
      (index, m) => index === 1 && m === 0,
    );
    await expect(plan(bags, { kind: "levels", levels: [0] })).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message:
        `1 of 6 bags has no tile of the magnifications 0 (0: the coarsest) that the model looks at (${bags.slice(1, 2).map(short).join()}); ` +
        `1 of 6 bags has magnifications to the number of 1, the model looks at bags of 3 (${bags.slice(4, 5).map(short).join()})`,
    });
  });
});

describe("magnifications that are made up in some bags", () => {
  const madeUp = (bag: Bag, index: number): Bag =>
    index < 2 ? { ...bag, metadata: { ...bag.metadata, surrogateLevels: [0] } } : bag;

  it.each([
    ["a mixer", MIXER],
    ["tiles of all magnifications", undefined],
  ])("are refused beside real ones unless asked for: %s", async (_what, reembed) => {
    const bags = await cohortOf(8, madeUp);
    await expect(plan(bags, reembed)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message:
        `magnification 0 (0: the coarsest) is made up in 2 of 8 bags (${bags.slice(0, 2).map(short).join(", ")}) and not in the others; ` +
        "build all bags alike, leave the level out, or say recipe.mixSurrogateLevels",
      details: { field: "recipe.mix_surrogate_levels", value: "2", bound: "0 or 8" },
    });
    await expect(plan(bags, reembed, { mixSurrogateLevels: true })).resolves.toBeDefined();
  });

  it("are taken where the model does not look at them, and where all bags have them", async () => {
    await expect(plan(await cohortOf(8, madeUp), { ...MIXER, levels: [1, 2] })).resolves.toBeDefined();
    const all = await cohortOf(8, (bag) => madeUp(bag, 0));
    await expect(plan(all, MIXER)).resolves.toBeDefined();
  });

  it("change no specification and no job of before", () => {
    const model = { head: HEAD, task: TASK };
    const plain = parseTrainSpec({ model });
    expect(parseTrainSpec({ model, mixSurrogateLevels: false })).toEqual(plain);
    expect(decisiveSpecJson(plain)).not.toHaveProperty("mixSurrogateLevels");
    const mixed = parseTrainSpec({ model, mixSurrogateLevels: true });
    expect(decisiveSpecJson(mixed)).toMatchObject({ mixSurrogateLevels: true });
    expect(parseTrainSpec(trainSpecJson(mixed))).toEqual(mixed);
  });
});
