/** @file Listings of a store that several gateways write, without a cluster: what cut-off creations and deletions leave there. */
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { expect, it } from "vitest";
import { encodeText } from "../json-object.ts";
import { type IndexEntry, indexKey, openKey, requestKey, stateKey } from "../operation-keys.ts";
import { encodeRequest } from "../operation-request.ts";
import { createSharedState } from "./shared-state.ts";
import { listFromStore } from "./store-listing.ts";

const entry: IndexEntry = { project: "p", id: "0123456789abcdef0123456789abcdef", kind: "echo", createTimeMs: 2_000 };
const earlier: IndexEntry = { ...entry, createTimeMs: 1_000 };

async function mark(store: ObjectStore, marked: IndexEntry): Promise<void> {
  await store.put(openKey(marked), new Uint8Array());
  await store.put(indexKey(marked), new Uint8Array());
}

async function request(store: ObjectStore, { kind, createTimeMs }: IndexEntry): Promise<void> {
  const text = encodeRequest({ version: 1, kind, createTimeMs, input: null, target: "projects/p/models/m" });
  await store.put(requestKey(entry), encodeText(text));
}

async function listed(store: ObjectStore) {
  const { operations } = await listFromStore(store, createSharedState(store), "p", { pageSize: 10 });
  return operations.map(({ createTimeMs, target, outcome }) => ({ createTimeMs, target, kind: outcome.kind }));
}

it("an operation is not one before its request is written", async () => {
  const store = createMemoryStore();
  await mark(store, earlier);
  expect(await listed(store)).toEqual([]);
});

it("a creation that was cut off and asked for again is listed once, while it is queued, runs and is done", async () => {
  const store = createMemoryStore();
  await mark(store, earlier);
  await mark(store, entry);
  await request(store, entry);
  const shown = { createTimeMs: 2_000, target: "projects/p/models/m" };
  expect(await listed(store)).toEqual([{ ...shown, kind: "running" }]);
  const states = createSharedState(store);
  await states.change(entry, () => ({ progress: { phase: "begun" } }));
  expect(await listed(store)).toEqual([{ ...shown, kind: "running" }]);
  await states.finish(entry, { kind: "succeeded", response: null }, 3_000);
  await store.delete(openKey(entry));
  expect(await listed(store)).toEqual([{ ...shown, kind: "succeeded" }]);
});

it("an operation whose state cannot be read is listed as damaged", async () => {
  const store = createMemoryStore();
  await mark(store, entry);
  await request(store, entry);
  await store.put(stateKey(entry), encodeText("{"));
  expect(await listed(store)).toMatchObject([{ createTimeMs: 2_000, kind: "failed" }]);
});
