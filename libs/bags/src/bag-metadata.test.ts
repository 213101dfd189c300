import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { encodeBagMetadata, parseBagMetadata } from "./bag-metadata.ts";

/** What encoding refuses. */
function refusalOf(run: () => unknown): DomainError {
  try {
    run();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("made-up magnifications in a bag's metadata", () => {
  it("are kept as a list; none are none", () => {
    const metadata = { levelCount: 3, surrogateLevels: [0, 1] };
    expect(encodeBagMetadata(metadata)).toMatchObject({ surrogate_levels: "0,1" });
    expect(parseBagMetadata(encodeBagMetadata(metadata))).toEqual(metadata);
    expect(encodeBagMetadata({ surrogateLevels: [] })).not.toHaveProperty("surrogate_levels");
  });

  it.each(["", "5", "-1", "1,0", "0,0", "0,x", "0,", "0.5", " 0"])("are refused when they are none: %o", (text) => {
    const encoded = { format: "parfocal-bag/1", surrogate_levels: text };
    expect(refusalOf(() => parseBagMetadata(encoded))).toMatchObject({ code: "CORRUPT" });
    expect(refusalOf(() => encodeBagMetadata({ surrogateLevels: [1, 0] }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("texts of a bag's metadata", () => {
  it("may have 512 bytes, of whatever characters", () => {
    const texts = { slideId: "ü".repeat(256), patientId: "P 1/2 \u{1F52C}", encoder: "e".repeat(512) };
    expect(parseBagMetadata(encodeBagMetadata(texts))).toEqual(texts);
  });

  it.each([
    ["slideId", "slide_id"],
    ["patientId", "patient_id"],
    ["encoder", "encoder"],
    ["sourceLabel", "source_label"],
    ["sourceDigest", "source_digest"],
    ["importer", "importer"],
  ])("are refused beyond that and with control characters: %s", (field, name) => {
    const long = refusalOf(() => encodeBagMetadata({ [field]: `${"ü".repeat(256)}x` }));
    expect(long).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `bag metadata ${name} has 513 bytes, the bound is 512`,
      details: { field: name, value: "513", bound: "512" },
    });
    for (const character of ["\0", "\n", "\x1b", "\x7f", "\x85"]) {
      const refused = refusalOf(() => encodeBagMetadata({ [field]: `4711${character}` }));
      expect(refused).toMatchObject({ code: "INVALID_ARGUMENT", details: { field: name } });
      expect(refused.message).toMatch(new RegExp(`^bag metadata ${name} of [56] bytes holds a control character`));
      expect(refused.message).not.toContain("4711");
    }
  });

  it("are read as they are: earlier bags may hold longer ones", () => {
    const patientId = `${"P".repeat(3_000)}\n`;
    expect(parseBagMetadata({ format: "parfocal-bag/1", patient_id: patientId })).toEqual({ patientId });
  });
});
