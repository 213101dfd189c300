import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import { createMemoryStore, keyFromUri } from "@parfocal/store";
import { createEmbeddedDriver, type OperationState, waitForOperation } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import type { BagImporter } from "../imports/bag-importer.ts";
import { createSourceRoots } from "../imports/source-roots.ts";
import { createImportBagsWorkflow } from "./import-bags.ts";

/** The end of an operation that imports the files of these names by `importer`. */
async function importAll(
  importer: BagImporter,
  names: readonly string[],
  store = createMemoryStore(),
): Promise<OperationState["outcome"]> {
  const workflow = createImportBagsWorkflow(store, importer, createSourceRoots(["file:///in"], {}));
  const registry = { import: workflow };
  const pauses = { retryBaseDelayMs: 1, retryMaxDelayMs: 2 };
  const driver = await createEmbeddedDriver({ store, registry, ...pauses });
  try {
    const input = { parent: "projects/p", uris: names.map((name) => `file:///in/${name}`) };
    const { name } = await driver.start({ project: "p", kind: "import", input });
    return (await waitForOperation(driver, name, 30_000, new AbortController().signal)).outcome;
  } finally {
    await driver.close();
  }
}

const errorEntry = (path: string): gatewayV1.ImportedBag => {
  const value = { code: "NON_FINITE", message: "it has a NaN" };
  return { path, result: { $case: "error", value }, inferred: {}, existed: false };
};

describe("an operation that imports bags", () => {
  it("waits for a store that is away, as long as other operations do", async () => {
    let nTries = 0;
    const importFile: BagImporter["importFile"] = async ({ path }) => {
      if (++nTries < 10) throw new DomainError("UNREACHABLE", "no connection to the store");
      return [errorEntry(path)];
    };
    expect(await importAll({ importFile }, ["a.npy"])).toMatchObject({ kind: "succeeded" });
    expect(nTries).toBe(10);
  });

  it("tells of each file that cannot be imported and goes on", async () => {
    const importFile: BagImporter["importFile"] = async ({ path }) => [errorEntry(path)];
    const outcome = await importAll({ importFile }, ["a.npy", "b.npy"]);
    const entry = { error: { code: "NON_FINITE", message: "it has a NaN" } };
    expect(outcome).toMatchObject({ kind: "succeeded", response: { bags: [entry, entry] } });
  });

  it("answers with the first entries of more than an answer holds, and where all of them are", async () => {
    const store = createMemoryStore();
    const long = "n".repeat(400);
    const names = Array.from({ length: 3000 }, (_, index) => `${index}-${long}.npy`);
    const importFile: BagImporter["importFile"] = async ({ path }) => [errorEntry(path)];
    const outcome = await importAll({ importFile }, names, store);
    if (outcome.kind !== "succeeded") throw new Error(`it ${outcome.kind}`);
    const { bags, listing } = gatewayV1.ImportBagsResponse.fromJSON(outcome.response);
    const message = gatewayV1.ImportBagsResponse.encode({ bags, listing }).finish();
    expect(message.byteLength).toBeLessThan(1024 * 1024 + 1000);
    expect(bags.length).toBeGreaterThan(1000);
    const { bytes } = await store.get(keyFromUri(store, listing?.uri ?? ""));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(listing?.sha256);
    const all = Buffer.from(bytes).toString("utf8").trimEnd().split("\n");
    const entries = all.map((line) => gatewayV1.ImportedBag.fromJSON(JSON.parse(line)));
    expect(entries.map(({ path }) => path)).toEqual(names.map((name) => `file:///in/${name}`));
    expect(entries.slice(0, bags.length)).toEqual(bags);
  });

  it("ends the other imports of a step that failed", async () => {
    const ended: string[] = [];
    const importFile: BagImporter["importFile"] = async ({ fileName }, signal) => {
      if (fileName === "a.npy") throw new DomainError("FORBIDDEN", "the store answered 403 ExpiredToken");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      ended.push(fileName);
      return [];
    };
    expect(await importAll({ importFile }, ["b.npy", "a.npy"])).toMatchObject({ kind: "failed", code: "FORBIDDEN" });
    expect(ended).toEqual(["b.npy"]);
  });
});
