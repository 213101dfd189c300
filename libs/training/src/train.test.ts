import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag } from "./job.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;

const HEAD = { kind: "gated-abmil", hidden: [16], attentionWidth: 8, dropout: 0, attentionDropout: 0 };
const MODEL = { head: HEAD, task: { kind: "binary", classes: ["no", "yes"] } };
const ADAM = { kind: "adam", learningRate: 5e-3 };

let world: World;
let cohort: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 60, d: 8, seed: 1n });
});

afterAll(() => world.close());

describe("training", () => {
  it("learns a planted signal well enough to rank every held-out bag", async () => {
    const spec = parseTrainSpec({ model: MODEL, epochs: 15, optimiser: ADAM, split: { testFraction: 0.3 } });
    const { events, trained } = await collect(train({ spec, bags: cohort }, world.deps(), SIGNAL));
    expect(trained.test?.metrics.auroc?.value).toBe(1);
    expect(events.filter((event) => event.kind === "epoch")).toHaveLength(15);
  });
});
