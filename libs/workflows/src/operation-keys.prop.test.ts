import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertProject,
  INDEX_PREFIX,
  type IndexEntry,
  indexKey,
  OPEN_PREFIX,
  OWNER_KEY,
  openKey,
  operationName,
  operationPrefix,
  parseIndexKey,
  parseOpenKey,
  parseOperationName,
} from "./operation-keys.ts";

/** What `isResourceId` of `@parfocal/protocol`, which no workflow knows, lets into names. */
const project = fc.stringMatching(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/).filter((id) => !id.includes(".."));
const entries: fc.Arbitrary<IndexEntry> = fc.record({
  project: fc.oneof(project, fc.constantFrom("a", "a.b", "a.b.c", "p.owner", "open", "index")),
  id: fc.integer({ min: 0, max: 3 }).map((n) => n.toString(16).padStart(32, "0")),
  kind: fc.constantFrom("train", "batch"),
  createTimeMs: fc.integer({ min: 0, max: 9_999_999_999_999 }),
});

describe("keys of operations, whatever the project", () => {
  it("are for every project that the contract names, and read back as written", () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const ref = { project: entry.project, id: entry.id };
        assertProject(entry.project);
        expect(parseIndexKey(indexKey(entry))).toEqual(entry);
        expect(parseOpenKey(openKey(entry))).toEqual(ref);
        expect(parseOperationName(operationName(entry))).toEqual(ref);
      }),
    );
  });

  it("are of one operation: none begins with the prefix of another or of what the driver keeps for itself", () => {
    fc.assert(
      fc.property(entries, entries, (one, other) => {
        const isSame = one.project === other.project && one.id === other.id;
        expect(operationPrefix(one).startsWith(operationPrefix(other))).toBe(isSame);
        for (const own of [OWNER_KEY, OPEN_PREFIX, INDEX_PREFIX]) {
          expect(operationPrefix(one).startsWith(own)).toBe(false);
          expect(own.startsWith(`operations/${one.project}/`)).toBe(false);
        }
        const isListed = indexKey(one).startsWith(`${INDEX_PREFIX}${other.project}/`);
        expect(isListed).toBe(one.project === other.project);
      }),
    );
  });

  it.each(["", ".a", "a.", "a..b", "a/b", "a b", "a\n", ".index", "a".repeat(64)])("refuse %j for a project", (id) => {
    expect(() => assertProject(id)).toThrow("is not 1 to 63 letters");
    expect(() => parseOperationName(`projects/${id}/operations/${"0".repeat(32)}`)).toThrow("is not projects/");
  });

  it.each(["x", "0".repeat(31), "0".repeat(33), "G".repeat(32)])("know no operation of the id %j", (id) => {
    expect(() => parseOperationName(`projects/p/operations/${id}`)).toThrow(
      expect.objectContaining({ code: "NOT_FOUND", message: "there is no such operation" }),
    );
  });
});
