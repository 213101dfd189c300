import type { BagRef } from "@parfocal/bags";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { ImportHints } from "../imports/import-messages.ts";
import { createSourceRoots } from "../imports/source-roots.ts";
import type { InferSubject } from "./infer-subject.ts";
import { type WithBagDeps, withBag } from "./with-bag.ts";

const DIGEST = "a".repeat(64);
const ref: BagRef = { key: "k", digest: DIGEST, sizeBytes: 1, n: 1, d: 1, dtype: "F32", hasCoords: false };
const bag: InferSubject = { kind: "bag", name: `projects/p/bags/${DIGEST}` };
const tensors: InferSubject = { kind: "tensors", file: Uint8Array.of(1) };

/** Asks about a bag that is in the catalog, and about files that are imported as it; gives the hints that the import got. */
async function ask(subject: InferSubject, hints: ImportHints) {
  const imported: ImportHints[] = [];
  const deps = {
    store: createMemoryStore(),
    bags: { get: async () => ({ ref, metadata: { mpp: 0.25 } }) },
    temporaryBags: {
      with: (request: { hints: ImportHints }, _: AbortSignal, work: (found: BagRef) => Promise<unknown>) => {
        imported.push(request.hints);
        return work(ref);
      },
    },
    roots: createSourceRoots([], {}),
  } as unknown as WithBagDeps;
  const { signal } = new AbortController();
  await withBag(deps, { project: "p", subject, hints, signal }, async ({ reference }) => reference);
  return imported;
}

describe("what the parameters of an inference say of its bag", () => {
  it.each([{ mpp: 0.5 }, { encoder: "uni" }, { mpp: 0.25, tilePx: 256 }])(
    "is refused beside a bag of the catalog, which knows its own: %o",
    async (hints) => {
      await expect(ask(bag, hints)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { field: "parameters" },
      });
    },
  );

  it("goes with tensors, and is not needed with a bag", async () => {
    expect(await ask(bag, {})).toEqual([]);
    expect(await ask(tensors, { mpp: 0.5 })).toEqual([{ mpp: 0.5 }]);
  });
});
