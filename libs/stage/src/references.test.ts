import { describe, expect, it } from "vitest";
import { folderFromWire, objectFromWire } from "./references.ts";

const ROOT = "s3://bucket/prefix";
const SHA256 = "0".repeat(64);

describe("what a caller may name in a stage's store", () => {
  const bounded = { rootUri: ROOT, allowedPrefixes: ["projects/", "cache/"] };

  it("is any key below the root, or below the prefixes where there are some", () => {
    expect(folderFromWire({ rootUri: ROOT }, `${ROOT}/anything/at/all/`)).toBe("anything/at/all");
    expect(folderFromWire(bounded, `${ROOT}/projects/p/models/m`)).toBe("projects/p/models/m");
    const object = { uri: `${ROOT}/cache/x`, sha256: SHA256, sizeBytes: 1n };
    expect(objectFromWire(bounded, object, "bag.object")).toEqual({ key: "cache/x", digest: SHA256, sizeBytes: 1 });
  });

  it.each([
    ["another bucket", "s3://other/prefix/projects/p"],
    ["a longer name of the same beginning", `${ROOT}x/projects/p`],
    ["the root itself", `${ROOT}/`],
    ["another prefix", `${ROOT}/operations/.owner`],
    ["a prefix that begins like an allowed one", `${ROOT}/projects2/p`],
    ["a way out of an allowed prefix", `${ROOT}/projects/../operations/.owner`],
    ["a way out of the root", `${ROOT}/../secret`],
  ])("is not %s, which is not repeated", (_, uri) => {
    expect(() => folderFromWire(bounded, uri)).toThrow(expect.objectContaining({ code: "FORBIDDEN" }) as Error);
    expect(() => folderFromWire(bounded, uri)).not.toThrow("secret");
    const object = { uri, sha256: SHA256, sizeBytes: 1n };
    expect(() => objectFromWire(bounded, object, "bag.object")).toThrow(/characters lies/);
  });
});
