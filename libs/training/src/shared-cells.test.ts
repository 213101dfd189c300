import { type Bag, type BagRef, readBag, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import type { ObjectStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBagInputs } from "./bag-inputs.ts";
import type { LabelledBag, TrainedModel } from "./job.ts";
import { evaluateModel } from "./package/evaluate-model.ts";
import { type LoadedModel, loadModel } from "./package/load-model.ts";
import { predictBag } from "./package/predict-bag.ts";
import { predictBags } from "./package/predict-bags.ts";
import { predictPatient } from "./package/predict-patient.ts";
import { publishModel } from "./package/publish-model.ts";
import { createKeyedLock } from "./reembed/keyed-lock.ts";
import { type ReembedDeps, reembedBag } from "./reembed/reembed-bag.ts";
import { weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;
const D = 6;
const STRIDE = 256;
const SIDE = 4;
/** Tiles of each slide that share a cell with an earlier one. */
const N_SHARED = 5;
const ROFORMER = { kind: "roformer", width: 8, heads: 2, mlpRatio: 1, dropout: 0.2 };
const HEAD = { kind: "gated-abmil", hidden: [6], attentionWidth: 4 };
const TASK = { kind: "binary", classes: ["no", "yes"] };

/** A slide whose later tiles share cells, and the same slide without them. */
interface Pair {
  readonly shared: BagRef;
  readonly alone: BagRef;
}

let world: World;
let pairs: Pair[];
let shared: LabelledBag[];
let alone: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  pairs = await Promise.all(Array.from({ length: 12 }, (_, i) => writePair(i)));
  shared = pairs.map(({ shared: bag }, i) => ({ bag, label: i % 2, patient: `p${i >> 1}-${i % 2}` }));
  alone = pairs.map(({ alone: bag }, i) => ({ bag, label: i % 2, patient: `p${i >> 1}-${i % 2}` }));
});
afterAll(() => world.close());

/** Cells row by row, and among them tiles that lie elsewhere in a cell that is taken. */
async function writePair(slide: number): Promise<Pair> {
  const rng = createRng(7n).fork(`slide ${slide}`);
  const rows: { readonly corner: readonly number[]; readonly values: readonly number[]; readonly isFirst: boolean }[] =
    [];
  const add = (cell: number, isFirst: boolean) => {
    const [x, y] = [STRIDE * (cell % SIDE), STRIDE * Math.floor(cell / SIDE)];
    const corner = isFirst ? [x, y] : [x + 1 + rng.nextInt(250), y + rng.nextInt(250)];
    const values = Array.from({ length: D }, (_, k) => rng.normal() + (slide % 2 === 1 && k === 0 ? 3 : 0));
    rows.push({ corner, values, isFirst });
  };
  for (let cell = 0; cell < SIDE * SIDE; cell++) {
    add(cell, true);
    if (cell % 3 === 2) add(cell - 1, false);
  }
  const bagOf = (of: typeof rows): Bag => ({
    ...{
      n: of.length,
      d: D,
      metadata: { level0StridePx: STRIDE, encoder: "planted", sourceDigest: `${slide}`.padStart(64, "0") },
    },
    features:
      slide % 4 < 2
        ? { dtype: "F32", data: Float32Array.from(of.flatMap(({ values }) => values)) }
        : { dtype: "F16", data: new Uint16Array(Float16Array.from(of.flatMap(({ values }) => values)).buffer) },
    coords: Int32Array.from(of.flatMap(({ corner }) => corner)),
    flags: Uint8Array.from(of, ({ isFirst }) => (isFirst ? 1 : 2)),
  });
  const write = (of: typeof rows) => writeBag(world.store, "bags/", bagOf(of));
  return { shared: await write(rows), alone: await write(rows.filter(({ isFirst }) => isFirst)) };
}

async function trainOn(bags: readonly LabelledBag[], more: object = {}, onThinned?: (count: number) => void) {
  const spec = parseTrainSpec({
    ...{ model: { reembed: ROFORMER, head: HEAD, task: TASK, standardise: true }, epochs: 2 },
    ...{ split: { validationFraction: 0.2, testFraction: 0.2 }, selection: "last", batchSize: 2 },
    ...more,
  });
  const deps = { ...world.deps(), ...(onThinned && { onThinned }) };
  return (await collect(train({ spec, bags }, deps, SIGNAL))).trained;
}

async function publish(name: string, trained: TrainedModel): Promise<LoadedModel> {
  await publishModel(world.store, `models/${name}`, trained, { codeVersion: "test" });
  return loadModel(world.store, `models/${name}`);
}

async function reembed(loaded: LoadedModel, ref: BagRef, more: Partial<ReembedDeps> = {}): Promise<BagRef> {
  const steps = reembedBag({ ...world, lock: createKeyedLock(), ...more }, loaded, ref, SIGNAL);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}

/** What of a store is below a folder. */
async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await store.list(prefix)).objects.map(({ key }) => key);
}

/** Where the thinned copy of a bag is kept. */
const thinnedOf = (digest: string) => `cache/reembed/${digest}/unique-cells`;

describe("tiles that share a cell, in a RoFormer model", () => {
  let loaded: LoadedModel;
  let trained: TrainedModel;

  it("cost bags without them no object, whether these train, are re-embedded or are scored", async () => {
    trained = await trainOn(alone);
    loaded = await publish("alone", trained);
    await reembed(loaded, pairs[0]?.alone as BagRef);
    await predictBag(world, loaded, pairs[1]?.alone as BagRef);
    expect((await keysBelow(world.store, "cache/reembed/")).filter((key) => key.includes("unique-cells"))).toEqual([]);
  });

  it("leave nothing in the store where a bag is only scored", async () => {
    for (const { shared: ref } of pairs.slice(0, 4)) await predictBag(world, loaded, ref, { wantsAttention: true });
    await Array.fromAsync(
      predictBags(
        world,
        loaded,
        pairs.map((pair) => pair.shared),
        SIGNAL,
      ),
    );
    expect((await keysBelow(world.store, "cache/reembed/")).filter((key) => key.includes("unique-cells"))).toEqual([]);
    expect(world.engine.stats().residentTensors).toBe(0);
  });

  it("change nothing of a training, and are counted", async () => {
    const counts: number[] = [];
    const other = await trainOn(shared, {}, (count) => counts.push(count));
    expect(weightBytes(other)).toEqual(weightBytes(trained));
    expect(other.history).toEqual(trained.history);
    expect(other.testPredictions).toEqual(trained.testPredictions);
    expect(counts).toEqual(pairs.map(() => N_SHARED));
  });

  it("change nothing of a training on joined slides, each of which is thinned by itself", async () => {
    const joined = { groups: { kind: "joined" } };
    const [a, b] = [await trainOn(alone, joined), await trainOn(shared, joined)];
    expect(weightBytes(b)).toEqual(weightBytes(a));
    expect(b.testPredictions).toEqual(a.testPredictions);
    const model = await publish("joined", b);
    const of = (which: keyof Pair) => pairs.slice(0, 3).map((pair) => pair[which]);
    const { answer } = await predictPatient(world, model, of("alone"), SIGNAL);
    expect((await predictPatient(world, model, of("shared"), SIGNAL)).answer).toEqual(answer);
  });

  it.each([0, 1, 2])("change nothing of predictions, whole or re-embedded before: slide %i", async (slide) => {
    const pair = pairs[slide] ?? expect.unreachable("no slide");
    const options = { wantsAttention: true };
    const wanted = await predictBag(world, loaded, pair.alone, options);
    const direct = await predictBag(world, loaded, pair.shared, options);
    const left = await reembed(loaded, pair.shared);
    const served = await predictBag(world, loaded, left, options);
    for (const { answer, attention } of [direct, served]) {
      expect(answer).toEqual(wanted.answer);
      expect(attention?.values).toEqual(wanted.attention?.values);
    }
    const { coords } = await readBag(world.store, pair.alone);
    expect(direct.attention?.coords).toEqual(coords);
    expect((await readBag(world.store, left)).coords).toEqual(coords);
  });

  it("change nothing of batches and evaluations", async () => {
    const refs = (which: keyof Pair) => pairs.map((pair) => pair[which]);
    const many = async (which: keyof Pair) => {
      const outcomes = await Array.fromAsync(predictBags(world, loaded, refs(which), SIGNAL));
      return outcomes.map((each) => (each.kind === "prediction" ? each.prediction.answer : each.error));
    };
    expect(await many("shared")).toEqual(await many("alone"));
    const deps = { ...world, nowMs: () => performance.now() };
    const cases = (bags: readonly LabelledBag[]) => bags.map((bag) => ({ ...bag, patient: bag.patient ?? "" }));
    const [a, b] = [
      await evaluateModel(deps, loaded, cases(alone), SIGNAL),
      await evaluateModel(deps, loaded, cases(shared), SIGNAL),
    ];
    expect(b).toEqual(a);
  });

  it("are left out of re-embedded bags, rows in blocks or whole, kept under the name of the whole bag", async () => {
    const pair = pairs[4] ?? expect.unreachable("no slide");
    const counts: number[] = [];
    const left = await reembed(loaded, pair.shared, { wholeBytes: 0, onThinned: (count) => counts.push(count) });
    const wanted = await readBag(world.store, await reembed(loaded, pair.alone, { wholeBytes: 0 }));
    const { metadata, ...found } = await readBag(world.store, left);
    expect(found).toEqual({ ...found, n: wanted.n, features: wanted.features, coords: wanted.coords });
    expect(metadata.sourceDigest).toBe(pair.shared.digest);
    expect(left.key).toContain(`cache/reembed/${pair.shared.digest}/${loaded.reembed?.digest}/`);
    expect(counts).toEqual([N_SHARED]);
  });

  it.each([0, 2])("are left out of the thinned bag with what lies beside them: slide %i", async (slide) => {
    const pair = pairs[slide] ?? expect.unreachable("no slide");
    const pointer = await world.store.get(`${thinnedOf(pair.shared.digest)}.json`);
    const ref = JSON.parse(new TextDecoder().decode(pointer.bytes)) as BagRef;
    // The very bytes of the bag that never had them.
    expect({ ...ref, key: "" }).toEqual({ ...pair.alone, key: "" });
    expect(await readBag(world.store, ref)).toEqual(await readBag(world.store, pair.alone));
  });

  it("are thinned once, however many look at a bag at once", async () => {
    const writes: string[] = [];
    const store: ObjectStore = {
      ...world.store,
      put(key, body, options) {
        writes.push(key);
        return world.store.put(key, body, options);
      },
    };
    const ref = pairs[5]?.shared as BagRef;
    for (const key of await keysBelow(world.store, thinnedOf(ref.digest))) await world.store.delete(key);
    const inputs = await readBagInputs(store, [ref, ref, ref], trained.model);
    expect(new Set(inputs.map(({ n }) => n))).toEqual(new Set([SIDE * SIDE]));
    expect(await keysBelow(world.store, `${thinnedOf(ref.digest)}/`)).toHaveLength(1);
    writes.length = 0;
    await readBagInputs(store, [ref], trained.model);
    expect(writes).toEqual([]);
  });

  it("are left out anew where the thinned bag was damaged", async () => {
    const ref = pairs[6]?.shared ?? expect.unreachable("no slide");
    await readBagInputs(world.store, [ref], trained.model);
    const [key = ""] = await keysBelow(world.store, `${thinnedOf(ref.digest)}/`);
    const { bytes } = await world.store.get(key);
    await world.store.put(
      key,
      Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 40 ? byte ^ 1 : byte)),
    );
    expect((await reembed(loaded, ref)).n).toBe(SIDE * SIDE);
    expect(Buffer.from((await world.store.get(key)).bytes).equals(bytes)).toBe(true);
  });

  it("do not hide that the whole bag is damaged", async () => {
    const ref = pairs[3]?.shared ?? expect.unreachable("no slide");
    const { key, digest } = ref;
    const { bytes } = await world.store.get(key);
    const damaged = Uint8Array.from(bytes);
    damaged[damaged.length - 100] = (damaged[damaged.length - 100] ?? 0) ^ 1;
    const bag = { ...ref, key: `damaged/${digest}.safetensors` };
    await world.store.put(bag.key, damaged);
    for (const kept of await keysBelow(world.store, thinnedOf(digest))) await world.store.delete(kept);
    await expect(readBagInputs(world.store, [bag], trained.model)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await keysBelow(world.store, thinnedOf(digest))).toEqual([]);
  });

  it("do not hide which slides trained, whole, thinned or re-embedded", async () => {
    const onShared = await trainOn(shared);
    // Without their files, which both bags of a pair name.
    const digests = shared.map(({ bag }) => bag.digest);
    const [training, validation] = [onShared.seen.training, onShared.seen.validation].map(
      (all) => new Set(digests.filter((digest) => all.has(digest))),
    ) as [Set<string>, Set<string>];
    const model = await publish("seen", { ...onShared, seen: { training, validation, isComplete: true } });
    expect(Math.min(training.size, validation.size)).toBeGreaterThan(0);
    const partOf = (digest: string) => (validation.has(digest) ? "validation" : "neither");
    for (const { shared: ref, alone: other } of pairs) {
      const part = training.has(ref.digest) ? "training" : partOf(ref.digest);
      const pointer = await world.store.get(`${thinnedOf(ref.digest)}.json`);
      const thinned = JSON.parse(new TextDecoder().decode(pointer.bytes)) as BagRef;
      for (const form of [ref, thinned, await reembed(model, ref)])
        expect((await predictBag(world, model, form)).seen).toBe(part);
      expect((await predictBag(world, model, other)).seen).toBe("neither");
    }
  });
});

describe("tiles that share a cell, in other models", () => {
  it.each([
    [
      "R2T",
      { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, regionNum: 2, compat: "corrected", grid: "coordinates" },
    ],
    ["a RoFormer that knows no places", { ...ROFORMER, rotary: "none" }],
  ])("all stay: %s", async (_name, config) => {
    const counts: number[] = [];
    const model = { reembed: config, head: HEAD, task: TASK };
    const trained = await trainOn(shared, { model, epochs: 1 }, (count) => counts.push(count));
    expect(counts).toEqual([]);
    const [ref] = pairs.map((pair) => pair.shared);
    const [input] = await readBagInputs(world.store, [ref as BagRef], trained.model);
    expect(input?.n).toBe(SIDE * SIDE + N_SHARED);
  });
});
