import { DomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { createMemoryStore } from "@parfocal/store";
import { createEmbeddedDriver, type OperationState, waitForOperation } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import type { BagImporter } from "../imports/bag-importer.ts";
import { createSourceRoots } from "../imports/source-roots.ts";
import { createImportBagsWorkflow } from "./import-bags.ts";

/** The end of an operation that imports the files of these names by `importer`. */
async function importAll(importer: BagImporter, names: readonly string[]): Promise<OperationState["outcome"]> {
  const workflow = createImportBagsWorkflow(importer, createSourceRoots(["file:///in"], {}));
  const registry = { import: workflow };
  const pauses = { retryBaseDelayMs: 1, retryMaxDelayMs: 2 };
  const driver = await createEmbeddedDriver({ store: createMemoryStore(), registry, ...pauses });
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
