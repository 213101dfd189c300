import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import type { BagEntry } from "../catalog/bag-catalog.ts";
import { type RowLookup, resolveRows } from "./resolve-rows.ts";

const digestOf = (letter: string) => letter.repeat(64);

function entryOf(letter: string, slideId: string): BagEntry {
  const ref = { key: "", digest: digestOf(letter), sizeBytes: 1, n: 1, d: 1, hasCoords: false, dtype: "F32" as const };
  return { ref, metadata: { slideId, levelCount: 1 } } as BagEntry;
}

function lookupIn(entries: readonly BagEntry[]): RowLookup {
  return {
    project: "p",
    signal: new AbortController().signal,
    isSuitable: () => true,
    bags: {
      list: async () => ({ items: entries, nextPageToken: "" }),
      async get(_project, digest) {
        const found = entries.find(({ ref }) => ref.digest === digest);
        if (found === undefined) throw new DomainError("NOT_FOUND", "there is no such bag");
        return found;
      },
    },
  };
}

const bySlide = (line: number, name: string) => ({ line, by: "slide" as const, name, patient: "", slide: "" });

describe("resolveRows", () => {
  it("keeps the first of two rows that mean one bag", async () => {
    const rows = await resolveRows(lookupIn([entryOf("a", "S")]), [bySlide(2, "S"), bySlide(3, "S")]);
    expect(rows[0]).toMatchObject({ bag: digestOf("a") });
    expect(rows[1]?.failure).toEqual({ code: "INVALID_ARGUMENT", message: "line 3 names the same bag as line 2" });
  });

  it("keeps what an earlier batch scored, though a row before it now means the same bag", async () => {
    const scored = { ...bySlide(3, "S"), by: "bag" as const, bag: digestOf("a"), slide: "S", kept: [null] };
    const rows = await resolveRows(lookupIn([entryOf("a", "S")]), [bySlide(2, "S"), scored]);
    expect(rows[1]).toEqual(scored);
    expect(rows[0]?.bag).toBeUndefined();
    expect(rows[0]?.failure?.message).toBe("line 2 names the same bag as line 3");
  });
});
