import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOperationIndex } from "./operation-index.ts";
import { type IndexEntry, indexKey, parseIndexKey } from "./operation-keys.ts";

const entryArbitrary = fc.record({
  project: fc.constantFrom("p", "q"),
  id: fc.integer({ min: 0, max: 40 }).map((n) => n.toString(16).padStart(32, "0")),
  kind: fc.constantFrom("train", "batch-predict"),
  createTimeMs: fc.integer({ min: 0, max: 9_999_999_999_999 }),
});

describe("the index of operations", () => {
  it("survives its keys", () => {
    fc.assert(
      fc.property(entryArbitrary, (entry) => {
        expect(parseIndexKey(indexKey(entry))).toEqual(entry);
      }),
    );
  });

  it("gives page by page what sorting and filtering the whole would give", () => {
    const change = fc.record({ entry: entryArbitrary, isRemoval: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), (changes, size) => {
        const index = createOperationIndex();
        const model = new Map<string, IndexEntry>();
        for (const { entry, isRemoval } of changes) {
          const key = `${entry.project}/${entry.id}`;
          if (isRemoval) {
            index.remove(entry);
            model.delete(key);
          } else {
            index.add(entry);
            if (!model.has(key)) model.set(key, entry);
          }
        }
        const matches = (entry: IndexEntry): boolean => entry.kind === "train";
        const paged: IndexEntry[] = [];
        let pageToken: string | undefined;
        do {
          const page = index.page({ project: "p", size, pageToken, filterName: "train", matches });
          paged.push(...page.entries);
          pageToken = page.nextPageToken;
        } while (pageToken !== undefined);
        const all = [...model.values()].filter((entry) => entry.project === "p" && matches(entry));
        all.sort((a, b) => b.createTimeMs - a.createTimeMs || (a.id < b.id ? -1 : 1));
        expect(paged).toEqual(all);
      }),
    );
  });
});
