import { describe, expect, it } from "vitest";
import {
  identityOf,
  MAX_SEEN,
  NOTHING_KNOWN,
  NOTHING_SEEN,
  REEMBED_IMPORTER,
  type SeenBags,
  seenOfTraining,
  seenPartOf,
  worstSeen,
} from "./seen-bags.ts";
import { encodeSeen, parseSeen } from "./seen-file.ts";

const digest = (i: number) => i.toString(16).padStart(64, "0");
const [A, B, C, D] = [digest(1), digest(2), digest(3), digest(4)] as const;
const seenOf = (training: string[], validation: string[], isComplete = true): SeenBags => ({
  training: new Set(training),
  validation: new Set(validation),
  isComplete,
});
const textOf = (seen: SeenBags) => new TextDecoder().decode(encodeSeen(seen));

describe("the file of bags that a model has seen", () => {
  it.each([
    ["some", seenOf([B, A], [C])],
    ["none", NOTHING_SEEN],
    ["not all", seenOf([A], [], false)],
  ])("comes back: %s", (_name, seen) => {
    expect(parseSeen(encodeSeen(seen))).toEqual(seen);
  });

  it("is the same bytes in whatever order the bags came, and names a format", () => {
    expect(textOf(seenOf([B, A], [D, C]))).toBe(textOf(seenOf([A, B], [C, D])));
    expect(JSON.parse(textOf(seenOf([B, A], [C])))).toEqual({
      format: "parfocal-seen/1",
      isComplete: true,
      training: [A, B],
      validation: [C],
    });
  });

  it.each([
    ["cut off", (text: string) => text.slice(0, -5), "CORRUPT", "it is no JSON"],
    ["no object", () => "null", "CORRUPT", "no JSON object"],
    [
      "of another version",
      (text: string) => text.replace("parfocal-seen/1", "parfocal-seen/2"),
      "UNSUPPORTED_FORMAT",
      "parfocal-seen/1",
    ],
    ["without a list", (text: string) => text.replace('"validation"', '"validated"'), "CORRUPT", "1 unknown fields"],
    ["with a list that is none", (text: string) => text.replace(`["${C}"]`, '"x"'), "CORRUPT", "validation is no"],
    ["unsorted", (text: string) => text.replace(A, D), "CORRUPT", "training is no sorted list"],
    ["with a digest twice", (text: string) => text.replace(A, B), "CORRUPT", "training is no sorted list"],
    ["with no digest", (text: string) => text.replace(A, A.toUpperCase().slice(1)), "CORRUPT", "training is no sorted"],
    ["with a digest in both parts", (text: string) => text.replace(C, B), "CORRUPT", "1 digests are in both parts"],
    ["that does not say whether it is all", (text: string) => text.replace("true", "1"), "CORRUPT", "isComplete"],
  ])("is refused %s", (_name, damage, code, message) => {
    const bytes = new TextEncoder().encode(damage(textOf(seenOf([A, B], [C]))));
    expect(() => parseSeen(bytes)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });

  it("is refused beyond its size before it is read, and says nothing of what is in it", () => {
    const bytes = new Uint8Array(67 * MAX_SEEN + 1025);
    expect(() => parseSeen(bytes)).toThrow(/has 67001025 bytes, more than 67001024/u);
    const other = new TextEncoder().encode('{"format": "parfocal-seen/1", "isComplete": true, "training": ["smith"]}');
    expect(() => parseSeen(other)).not.toThrow("smith");
  });
});

describe("which part had a bag", () => {
  const seen = seenOf([A], [B]);

  it("is found by any of the digests that it is known by, training first", () => {
    expect(seenPartOf(seen, [A])).toBe("training");
    expect(seenPartOf(seen, [D, B])).toBe("validation");
    expect(seenPartOf(seen, [B, A])).toBe("training");
    expect(seenPartOf(seen, [C, D])).toBe("neither");
  });

  it("is not known where not all is told, or the bag is not", () => {
    expect(seenPartOf(NOTHING_KNOWN, [A])).toBe("unknown");
    expect(seenPartOf({ ...seen, isComplete: false }, [A])).toBe("training");
    expect(seenPartOf({ ...seen, isComplete: false }, [C])).toBe("unknown");
    expect(seenPartOf(seen, [])).toBe("unknown");
  });

  it("is of several bags the first of training, validation, unknown, neither", () => {
    expect(worstSeen(["neither", "validation", "training"])).toBe("training");
    expect(worstSeen(["neither", "unknown", "validation"])).toBe("validation");
    expect(worstSeen(["neither", "unknown"])).toBe("unknown");
    expect(worstSeen(["neither", "neither"])).toBe("neither");
    expect(worstSeen([])).toBe("unknown");
  });
});

describe("the identity of a bag", () => {
  const ref = { key: `projects/p/bags/${A}.safetensors`, digest: A };

  it("is its digest and that of its file", () => {
    expect(identityOf(ref, {})).toEqual([A]);
    expect(identityOf(ref, { sourceDigest: B })).toEqual([A, B]);
  });

  it("is of a thinned copy that of the bag it was made of", () => {
    const thinned = { key: `cache/reembed/${C}/unique-cells/${A}.safetensors`, digest: A };
    expect(identityOf(thinned, { sourceDigest: B })).toEqual([C, B]);
  });

  it("is of a re-embedded bag what it says of its source, and none where something else made the file", () => {
    const copy = { key: `cache/reembed/${C}/${D}/${A}.safetensors`, digest: A };
    const made = { importer: REEMBED_IMPORTER, sourceDigest: C };
    expect(identityOf(copy, made, true)).toEqual([C]);
    expect(identityOf(copy, { ...made, fileDigest: B }, true)).toEqual([C, B]);
    expect(identityOf(ref, { importer: "safetensors/1", sourceDigest: C }, true)).toEqual([]);
  });
});

describe("what a training has seen", () => {
  const identities = [[A], [B, C], [D, "of another form"], [digest(5)]];
  const split = { train: [0, 1], validation: [2] };

  it("are the bags of its parts with their files, not those that test", () => {
    expect(seenOfTraining(split, identities)).toEqual(seenOf([A, B, C], [D]));
  });

  it("is with what the model before it has seen, whose training wins over this one's validation", () => {
    expect(seenOfTraining(split, identities, seenOf([D], [digest(6), A]))).toEqual(seenOf([A, B, C, D], [digest(6)]));
    expect(seenOfTraining(split, identities, NOTHING_KNOWN)).toEqual(seenOf([A, B, C], [D], false));
  });

  it("is bounded", () => {
    const start = seenOf(
      Array.from({ length: MAX_SEEN }, (_, i) => digest(i + 100)),
      [],
    );
    expect(() => seenOfTraining(split, identities, start)).toThrow(
      expect.objectContaining({
        code: "PRECONDITION_FAILED",
        message: expect.stringContaining("1000004 digests") as string,
      }),
    );
  });
});
