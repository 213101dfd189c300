import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { commonV1 } from "@parfocal/protocol";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import type { Json } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { keys } from "../catalog/keys.ts";
import { type BatchPlan, type CaseOutcome, shardDigest, shardsOf, writePlan } from "./batch-plan.ts";
import { publishBatch } from "./publish-batch.ts";
import { writeShard } from "./shard-object.ts";

const [PROJECT, OPERATION] = ["p", "f".repeat(32)];
const N_ROWS = 20_000;

const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["neg", "pos"] });
const modelOf = (name: string) => ({
  ...{ name: `projects/p/models/${name}/versions/v`, reference: {}, reembedder: "", featureDim: 4 },
  task: commonV1.Task.toJSON(task) as Json,
});

/** Rows 0, 100, 200, ... mean no bag; the second model refuses rows 7, 57, 107, ...; two slides are a patient. */
function planOf(nRows: number): BatchPlan {
  const rows = Array.from({ length: nRows }, (_, i) => {
    const named = { line: i + 2, by: "slide", name: `s${i}`, patient: `patient ${i >> 1}`, slide: `s${i}` } as const;
    if (i % 100 === 0) return { ...named, failure: { code: "NOT_FOUND", message: "there is no such slide" } };
    return { ...named, bag: i.toString(16).padStart(64, "0") };
  });
  const plan = { models: [modelOf("a"), modelOf("b")], rule: "mean", isTransient: false, rows } as const;
  return { ...plan, shards: shardsOf(plan, 64) };
}

function outcomeOf(row: number, model: number): CaseOutcome {
  if (model === 1 && row % 50 === 7) return { code: "SHAPE_MISMATCH", message: "the bag has another width" };
  const share = 1 / (row + 3);
  const probabilities = [
    { label: "neg", probability: 1 - share },
    { label: "pos", probability: share, threshold: 0.25 },
  ];
  return { prediction: { probabilities, decision: ["neg"] } };
}

/** A store with a batch whose shards are all there. */
async function finishedBatch(store: ObjectStore, nRows: number) {
  const plan = planOf(nRows);
  const stored = await writePlan(store, keys.batchPlan(PROJECT, OPERATION), plan, {});
  for (const [shard, indices] of plan.shards.entries()) {
    const outcomes = indices.map((index) => [outcomeOf(index, 0), outcomeOf(index, 1)]);
    await writeShard(store, keys.batchShard(PROJECT, OPERATION, shardDigest(stored, shard)), outcomes, {});
  }
  return { project: PROJECT, operationId: OPERATION, plan, stored, manifestUpload: "" };
}

const fileKey = (file: string) => `${keys.resultFolder(PROJECT, OPERATION)}/${file}`;
const textOf = async (store: ObjectStore, file: string) =>
  Buffer.from((await store.get(fileKey(file))).bytes).toString();

describe("publishBatch", () => {
  it("leaves others their turn all the time", async () => {
    const store = createMemoryStore();
    const batch = await finishedBatch(store, N_ROWS);
    let [nTurns, isDone] = [0, false];
    const publishing = publishBatch(store, batch, {}).finally(() => {
      isDone = true;
    });
    const spent: number[] = [];
    for (let before = process.cpuUsage(); !isDone; nTurns++) {
      await nextTurn();
      const { user, system } = process.cpuUsage(before);
      spent.push(user + system);
      before = process.cpuUsage();
    }
    const { tables } = await publishing;
    const nBytes = tables.reduce((sum, { csv, jsonl }) => sum + Number(csv!.sizeBytes) + Number(jsonl!.sizeBytes), 0);
    // Of the text alone a piece is 64 KiB and a row at most.
    expect(nTurns).toBeGreaterThan(nBytes / (66 * 1024));
    // Of the processor's time, which other programs do not lengthen.
    const whole = spent.reduce((sum, each) => sum + each, 0);
    expect(Math.max(...spent)).toBeLessThan(whole / 10);
  });

  it("says what every row, patient and failure came to, with digests of what lies there", async () => {
    const store = createMemoryStore();
    const response = await publishBatch(store, await finishedBatch(store, 300), {});
    expect(response).toMatchObject({ rowCount: 300n, scoredCount: 291n, failedCount: 9n, patientCount: 150n });
    expect(response.tables.map(({ name, rowCount }) => [name, rowCount])).toEqual([
      ["predictions", 600n],
      ["patients", 300n],
      ["failures", 12n],
    ]);
    for (const { name, csv, jsonl, parquet } of response.tables) {
      for (const [ending, reference] of Object.entries({ csv, jsonl, parquet })) {
        const { bytes } = await store.get(fileKey(`${name}.${ending}`));
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        expect(reference).toMatchObject({ sha256, sizeBytes: BigInt(bytes.length) });
      }
    }
    const lines = (await textOf(store, "failures.jsonl")).trimEnd().split("\n");
    const failures = lines.map((line) => JSON.parse(line) as { row: number; model: string; code: string });
    expect(failures.map(({ row, model, code }) => `${row} ${model.split("/")[3]} ${code}`)).toEqual([
      ...["0 a NOT_FOUND", "0 b NOT_FOUND", "7 b SHAPE_MISMATCH", "57 b SHAPE_MISMATCH"],
      ...["100 a NOT_FOUND", "100 b NOT_FOUND", "107 b SHAPE_MISMATCH", "157 b SHAPE_MISMATCH"],
      ...["200 a NOT_FOUND", "200 b NOT_FOUND", "207 b SHAPE_MISMATCH", "257 b SHAPE_MISMATCH"],
    ]);
    const [, first, second] = (await textOf(store, "patients.csv")).split("\r\n");
    expect(first).toMatch(/^patient 0,projects\/p\/models\/a\/versions\/v,mean,2,1,neg,0\.75,0\.25,/);
    expect(second).toMatch(/^patient 0,projects\/p\/models\/b\/versions\/v,mean,2,1,neg,/);
  });

  it("gives the same bytes again", async () => {
    const store = createMemoryStore();
    const batch = await finishedBatch(store, 3000);
    const { tables } = await publishBatch(store, batch, {});
    expect((await publishBatch(store, batch, {})).tables).toEqual(tables);
  });

  it("stops when it is cancelled, and leaves no part of a file", async () => {
    const store = createMemoryStore();
    const batch = await finishedBatch(store, N_ROWS);
    const stop = new AbortController();
    const publishing = publishBatch(store, batch, { signal: stop.signal });
    const outcome = publishing.catch((error: unknown) => error);
    // Some turns into the first file, which has more pieces than that.
    for (let turn = 0; turn < 40; turn++) await nextTurn();
    stop.abort();
    expect(await outcome).toMatchObject({ code: "CANCELLED" });
    expect((await store.list(keys.resultFolder(PROJECT, OPERATION))).objects).toEqual([]);
  });
});
