import { writeBag } from "@parfocal/bags";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag } from "../job.ts";
import { collect, openWorld, type World, writeCohort } from "../testing/world.ts";
import { train } from "../train.ts";
import { parseTrainSpec } from "../train-spec.ts";
import { type LoadedModel, loadModel } from "./load-model.ts";
import { predictBag } from "./predict-bag.ts";
import { predictBags } from "./predict-bags.ts";
import { publishModel } from "./publish-model.ts";

const SIGNAL = new AbortController().signal;

let world: World;
let cohort: LabelledBag[];
let plain: LoadedModel;
let reembedding: LoadedModel;

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 80, d: 8, seed: 2n });
  plain = await publish("plain", { head: { kind: "gated-abmil", hidden: [16], attentionWidth: 8 } });
  reembedding = await publish("r2t", {
    reembed: { kind: "r2t", stemWidth: 16, heads: 2, crmsaHeads: 2, regionNum: 2 },
    head: { kind: "abmil", hidden: [], attentionWidth: 8 },
  });
}, 60_000);

afterAll(() => world.close());

async function publish(name: string, architecture: object): Promise<LoadedModel> {
  const task = { kind: "binary", classes: ["benign", "tumour"] };
  const spec = parseTrainSpec({ model: { ...architecture, task }, epochs: 1, split: { testFraction: 0.3 } });
  const { trained } = await collect(train({ spec, bags: cohort.slice(0, 8) }, world.deps(name), SIGNAL));
  await publishModel(world.store, `models/${name}`, trained, { codeVersion: "test" });
  return loadModel(world.store, `models/${name}`);
}

describe("predictBags", () => {
  it.each(["plain", "r2t"])("says of every bag what predictBag says of it: %s", async (name) => {
    const loaded = name === "plain" ? plain : reembedding;
    const refs = cohort.map(({ bag }) => bag);
    const outcomes = await Array.fromAsync(predictBags(world, loaded, refs, SIGNAL));
    expect(outcomes.map(({ index }) => index)).toEqual([...refs.keys()]);
    for (const outcome of outcomes.filter(({ index }) => index % 20 === 0)) {
      const ref = refs[outcome.index]!;
      const { engineMs: _, ...alone } = await predictBag(world, loaded, ref);
      expect(outcome).toMatchObject({ kind: "prediction", prediction: alone });
    }
  });

  it("takes a bag that cannot be scored for an outcome, whatever finds out", async () => {
    const [narrow] = await writeCohort(world.store, { nBags: 1, d: 6, seed: 3n });
    const [missing, damaged] = await writeCohort(world.store, { nBags: 2, d: 8, seed: 4n });
    await world.store.delete(missing!.bag.key);
    const { bytes } = await world.store.get(damaged!.bag.key);
    const other = Uint8Array.from(bytes);
    // The last value of a feature: no header shows it, only the digest does.
    other[other.length - 1]! ^= 1;
    await world.store.put(damaged!.bag.key, other);
    const good = cohort.slice(0, 4).map(({ bag }) => bag);
    const data = Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 3e38 : -3e38));
    const huge = await writeBag(world.store, "bags/", { n: 2, d: 8, features: { dtype: "F32", data }, metadata: {} });
    const refs = [good[0]!, narrow!.bag, huge, good[1]!, missing!.bag, damaged!.bag, good[2]!, { ...good[3]!, n: 0 }];
    const outcomes = await Array.fromAsync(predictBags(world, plain, refs, SIGNAL));
    expect(outcomes.map((outcome) => (outcome.kind === "failure" ? outcome.error.code : outcome.kind))).toEqual([
      "prediction",
      "GEOMETRY_MISMATCH",
      "NON_FINITE",
      "prediction",
      "NOT_FOUND",
      "CORRUPT",
      "prediction",
      "EMPTY_BAG",
    ]);
  });

  it("goes on after the engine process was killed", async () => {
    const refs = cohort.map(({ bag }) => bag);
    const outcomes: string[] = [];
    for await (const { kind } of predictBags(world, plain, refs, SIGNAL)) {
      if (outcomes.length === 0) process.kill(world.engine.stats().pid!, "SIGKILL");
      outcomes.push(kind);
    }
    expect(outcomes).toEqual(refs.map(() => "prediction"));
  });

  it("ends when its signal fires, and when nobody asks for more", async () => {
    const refs = cohort.map(({ bag }) => bag);
    const controller = new AbortController();
    const read = async () => {
      for await (const _ of predictBags(world, plain, refs, controller.signal)) controller.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: "CANCELLED" });
    for await (const _ of predictBags(world, plain, refs, SIGNAL)) break;
    expect(await predictBag(world, plain, refs[0]!)).toMatchObject({ decision: [expect.any(String)] });
  });
});
