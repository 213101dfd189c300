/**
 * @file An operation whose stored state cannot be read must still come to an end, be cancelled and be deleted, without a cluster: the
 * parts of the driver that touch the state, on a store in memory.
 */
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createSystemClock } from "../clock.ts";
import { SILENT_LOGGER } from "../failure.ts";
import { encodeText } from "../json-object.ts";
import { indexKey, openKey, outcomeKey, requestKey, stateKey } from "../operation-keys.ts";
import { encodeRequest } from "../operation-request.ts";
import { listKeys } from "../testing/test-driver.ts";
import type { OperationState } from "../workflow.ts";
import { createActivities } from "./activities.ts";
import { cancelOperation } from "./cancel-operation.ts";
import type { OperationClient } from "./operation-client.ts";
import { reconcile } from "./reconcile.ts";
import { createRunKeeper } from "./run-keeper.ts";
import { createSharedState } from "./shared-state.ts";
import { deleteFromStore } from "./store-deletion.ts";

const ref = { project: "p", id: "0123456789abcdef0123456789abcdef" };
const entry = { ...ref, kind: "echo", createTimeMs: 1_000 };
const execution = { ...ref, executionId: "e" };
const damaged = encodeText('{"version":1,"epoch":0,"non');
const succeeded: OperationState["outcome"] = { kind: "succeeded", response: "echoed" };

/** An operation that is open, with a state that was cut; `calls` are those of the cluster. */
async function createDamaged(status: "running" | "closed" = "running") {
  const store = createMemoryStore();
  const { kind, createTimeMs } = entry;
  await store.put(openKey(ref), new Uint8Array());
  await store.put(indexKey(entry), new Uint8Array());
  await store.put(requestKey(ref), encodeText(encodeRequest({ version: 1, kind, createTimeMs, input: "echoed" })));
  await store.put(stateKey(ref), damaged);
  const states = createSharedState(store);
  const clock = createSystemClock();
  const activities = createActivities({
    ...{ store, states, clock, logger: SILENT_LOGGER, random: Math.random, randomHex: () => "00" },
    runs: createRunKeeper(store, { echo: async (_, input) => input }),
    ...{ progressIntervalMs: 1, retryBaseDelayMs: 1, cancelGraceMs: 1, heartbeatIntervalMs: 1 },
  });
  const calls: string[] = [];
  const client: OperationClient = {
    async ensureStarted() {
      calls.push("start");
      return status;
    },
    async cancel() {
      calls.push("cancel");
      return status === "running";
    },
    close: async () => undefined,
  };
  return { store, states, clock, activities, client, calls };
}

describe("an operation on Temporal whose stored state cannot be read", () => {
  it("begins, ends, and then has its outcome in the place of the state", async () => {
    const { store, states, activities } = await createDamaged();
    expect(await activities.takeTurn({ ...execution, turn: 0, ends: [] })).toEqual({ wanted: [], hasEnded: true });
    await activities.publishOutcome({ ...execution, turn: 0, isCancelled: false, endTimeMs: 5_000 });
    expect(await states.read(ref)).toMatchObject({ kind: "echo", endTimeMs: 5_000, outcome: succeeded });
    expect(await states.change(ref, () => ({ isCancelRequested: true }))).toMatchObject({ outcome: succeeded });
    await expect(store.head(openKey(ref))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("keeps the outcome that it had already", async () => {
    const { store, states } = await createDamaged();
    await store.delete(stateKey(ref));
    await states.finish(ref, succeeded, 5_000);
    await store.put(stateKey(ref), damaged);
    const late = { kind: "failed", code: "INTERNAL", message: "late" } as const;
    expect(await states.finish(ref, late, 6_000)).toMatchObject({ outcome: succeeded, endTimeMs: 5_000 });
    expect(await states.read(ref)).toMatchObject({ outcome: succeeded, endTimeMs: 5_000 });
  });

  it("ends also where its outcome cannot be read either", async () => {
    const { store, states } = await createDamaged();
    await store.put(outcomeKey(ref), damaged);
    expect(await states.finish(ref, succeeded, 5_000)).toMatchObject({ outcome: succeeded });
    expect(await states.read(ref)).toMatchObject({ outcome: succeeded, endTimeMs: 5_000 });
  });

  it("is cancelled by way of the cluster", async () => {
    const { store, states, client, calls, activities } = await createDamaged();
    await cancelOperation({ store, states, client }, ref);
    expect(calls).toEqual(["cancel"]);
    await activities.publishOutcome({ ...execution, turn: 0, isCancelled: true, endTimeMs: 5_000 });
    expect((await states.read(ref)).outcome).toMatchObject({ kind: "failed", code: "CANCELLED" });
  });

  it("is not begun again by a cancel request after its end", async () => {
    const { store, states, client, calls } = await createDamaged("closed");
    await store.delete(openKey(ref));
    await cancelOperation({ store, states, client }, ref);
    expect(calls).toEqual([]);
  });

  it("gets an outcome when the cluster ended it without one", async () => {
    const { store, states, client, calls, clock } = await createDamaged("closed");
    await reconcile({ store, states, client, clock, logger: SILENT_LOGGER });
    expect(calls).toEqual(["start"]);
    expect((await states.read(ref)).outcome).toMatchObject({ kind: "failed", code: "INTERNAL" });
  });

  it("can be deleted after its end, and not before", async () => {
    const { store, states } = await createDamaged();
    await expect(deleteFromStore(store, states, ref)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    await store.delete(openKey(ref));
    await deleteFromStore(store, states, ref);
    expect(await listKeys(store, "operations/")).toEqual([]);
  });
});
