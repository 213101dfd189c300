import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileNameOf, folderNameOf, partOfName, pathOfKey } from "./key-path.ts";

const part = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
    fc.string({ unit: fc.constantFrom("%", "f", "d", "2", "E", "5", ".", "a"), minLength: 1, maxLength: 10 }),
  )
  .filter(
    (text) => !text.includes("/") && !text.includes("\u0000") && text !== "." && text !== ".." && text.isWellFormed(),
  );

describe("paths of keys", () => {
  it("give every part one file name and one folder name, which are never the same and never hidden", () => {
    fc.assert(
      fc.property(part, part, (one, two) => {
        expect(fileNameOf(one)).not.toBe(folderNameOf(two));
        expect(fileNameOf(one).startsWith(".")).toBe(false);
        expect(folderNameOf(one).startsWith(".")).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it("give the part back", () => {
    fc.assert(
      fc.property(part, (text) => {
        expect(partOfName(fileNameOf(text), "file")).toBe(text);
        expect(partOfName(folderNameOf(text), "folder")).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it("differ for keys that differ", () => {
    const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(key, key, (one, two) => {
        expect(pathOfKey(one) === pathOfKey(two)).toBe(one === two);
      }),
      { numRuns: 2000 },
    );
  });

  it("are the keys themselves in the usual case", () => {
    for (const key of ["bags/slide.safetensors", "models/abmil/3/manifest.json"]) expect(pathOfKey(key)).toBe(key);
    expect(pathOfKey("models/v1.0/LICENSE")).toBe("models/v1.0%d/LICENSE%f");
  });
});
