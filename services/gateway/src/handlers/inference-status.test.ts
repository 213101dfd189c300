import { gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { keys } from "../catalog/keys.ts";
import { createModelCatalog } from "../catalog/model-catalog.ts";
import { inferenceOutputs } from "../inference/model-tensors.ts";
import { createModelMetadata } from "./inference-status.ts";

const context = { signal: new AbortController().signal } as HandlerContext;

/** The versions that the metadata of a model tell, which was published in the order of `published`, a second apart. */
async function versionsOf(published: readonly string[], name: string, version = ""): Promise<string[]> {
  const store = createMemoryStore();
  const put = (key: string, json: unknown) => store.put(key, Buffer.from(JSON.stringify(json)));
  for (const [second, id] of published.entries()) {
    const createTime = { seconds: BigInt(second), nanos: 0 };
    const entry = gatewayV1.Model.fromPartial({ name: `projects/p/models/m/versions/${id}`, createTime });
    await put(keys.modelIndex("p", "m", id), gatewayV1.Model.toJSON(entry));
  }
  await put(keys.alias("p", "m", "latest"), { version: published.at(-1) });
  await put(keys.alias("p", "m", "production"), { version: published[0] });
  // Its name begins alike.
  await put(keys.modelIndex("p", "m-2", "x"), { name: "projects/p/models/m-2/versions/x" });
  const metadata = createModelMetadata({ models: createModelCatalog(store) }, "p");
  const answer = await metadata({ name, version }, context);
  expect(answer.name).toBe(name);
  return answer.versions;
}

describe("the versions that metadata tell", () => {
  const published = ["b", "c", "a"];

  it.each(["m", "projects/p/models/m"])("are all of the model's, the newest first: %s", async (name) => {
    expect(await versionsOf(published, name)).toEqual(["a", "c", "b"]);
  });

  it.each([
    ["projects/p/models/m/versions/c", "", "c"],
    ["projects/p/models/m/aliases/latest", "", "a"],
    ["m", "b", "b"],
  ])("are the chosen one where one is chosen: %s, %j", async (name, version, chosen) => {
    expect(await versionsOf(published, name, version)).toEqual([chosen]);
  });

  it("are the newest thousand of more", async () => {
    // The order of time is not that of the ids.
    const ids = Array.from({ length: 1203 }, (_, i) => `v${(i * 7919) % 1203}`);
    expect(await versionsOf(ids, "m")).toEqual(ids.toReversed().slice(0, 1000));
  });
});

describe("the outputs that metadata tell", () => {
  it.each([
    ["abmil", "", true],
    ["mean", "", false],
    ["max", "instance", true],
    ["max", "embedding", false],
    ["max", undefined, false],
  ])("hold attention where the head says something of tiles: %s %s", (head, level, hasAttention) => {
    const configJson = level === undefined ? "" : JSON.stringify({ head: { kind: head, level } });
    const names = inferenceOutputs({ head, task: undefined, configJson }).map(({ name }) => name);
    expect(names.includes("attention")).toBe(hasAttention);
  });
});
