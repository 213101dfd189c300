import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ObjectStore, openStore } from "@parfocal/store";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { observeStore } from "./observe-store.ts";

describe("a store that is watched", () => {
  let folder: string;
  let registry: Registry;
  let store: ObjectStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-watched-"));
    registry = new Registry();
    store = observeStore(openStore(pathToFileURL(folder).href), registry);
  });
  afterEach(async () => {
    store.close();
    await rm(folder, { recursive: true });
  });

  it("counts the bytes that pass, whole and in chunks, and those of a range alone", async () => {
    const chunks = async function* () {
      yield new Uint8Array(10);
      yield new Uint8Array(20);
    };
    await store.put("a", new Uint8Array(100));
    await store.put("b", chunks());
    await store.get("a", { range: { start: 0, end: 7 } });
    await Array.fromAsync((await store.getStream("b")).chunks);
    const text = await registry.metrics();
    expect(text).toContain('parfocal_store_bytes_total{direction="written"} 130');
    expect(text).toContain('parfocal_store_bytes_total{direction="read"} 37');
    expect(text).toContain('parfocal_store_seconds_count{action="put"} 2');
  });

  it("counts failures by code, passes them on, and names no key", async () => {
    await expect(store.get("patient-7/slide")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await store.put("c", new Uint8Array(1), { ifNoneMatch: "*" });
    await expect(store.put("c", new Uint8Array(1), { ifNoneMatch: "*" })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    const text = await registry.metrics();
    expect(text).toContain('parfocal_store_failures_total{action="get",code="NOT_FOUND"} 1');
    expect(text).toContain('parfocal_store_failures_total{action="put",code="PRECONDITION_FAILED"} 1');
    expect(text).not.toContain("patient-7");
  });

  it("lets go of a stream that is left early, begun or not", async () => {
    await store.put("d", new Uint8Array(5_000_000));
    for await (const _ of (await store.getStream("d")).chunks) break;
    const iterator = (await store.getStream("d")).chunks[Symbol.asyncIterator]();
    expect(await iterator.return?.()).toMatchObject({ done: true });
    expect((await iterator.next()).done).toBe(true);
  });
});
