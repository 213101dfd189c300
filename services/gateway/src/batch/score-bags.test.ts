import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { createGate } from "./gate.ts";
import { type BagScoring, scoreBags } from "./score-bags.ts";

const bagOf = (uri: string) => commonV1.BagReference.fromPartial({ object: { uri } });
const reference = commonV1.ModelReference.fromPartial({});

/** Stages of which the aggregating one says these codes of bags, in turn; "" is a prediction, as is what is not told. */
function stagesThatSay(codes: Readonly<Record<string, readonly string[]>>) {
  const told = new Map<string, number>();
  const reembedded: unknown[] = [];
  const stages = {
    reembed: {
      async *reembed({ bag, verify }: { bag: commonV1.BagReference; verify: boolean }) {
        reembedded.push([bag.object?.uri, verify]);
        yield { event: { $case: "bag", value: bagOf(`${bag.object?.uri}, re-embedded`) } };
      },
    },
    aggregate: {
      async *predictMany({ bags }: { bags: readonly commonV1.BagReference[] }) {
        for (const [index, bag] of bags.entries()) {
          const uri = bag.object?.uri ?? "";
          const n = told.get(uri) ?? 0;
          told.set(uri, n + 1);
          const code = codes[uri]?.[n] ?? "";
          const failure = { $case: "failure", value: { code, message: "so it is" } };
          const prediction = { $case: "prediction", value: commonV1.Prediction.fromPartial({}) };
          yield { index, result: code === "" ? prediction : failure };
        }
      },
    },
  };
  const gates = { aggregate: createGate(1), reembed: createGate(1) };
  const signal = new AbortController().signal;
  const scoring = { stages, gates, signal, onEngineMs: () => {} } as unknown as BagScoring;
  return { scoring, reembedded };
}

const codesOf = async (scoring: BagScoring, isReembedded: boolean, uris: readonly string[]) => {
  const outcomes = await scoreBags(scoring, { reference, isReembedded }, uris.map(bagOf), () => {});
  return outcomes.map((outcome) => ("code" in outcome ? outcome.code : "prediction"));
};

describe("scoreBags", () => {
  it("has a re-embedding made anew that turns out to be damaged", async () => {
    const { scoring, reembedded } = stagesThatSay({ "b, re-embedded": ["CORRUPT"] });
    expect(await codesOf(scoring, true, ["a", "b"])).toEqual(["prediction", "prediction"]);
    expect(reembedded).toEqual([
      ["a", false],
      ["b", false],
      ["b", true],
    ]);
  });

  it("leaves it at that when it is damaged again", async () => {
    const { scoring, reembedded } = stagesThatSay({ "a, re-embedded": ["CORRUPT", "CORRUPT"] });
    expect(await codesOf(scoring, true, ["a"])).toEqual(["CORRUPT"]);
    expect(reembedded).toHaveLength(2);
  });

  it("asks once of bags that are the client's own, and twice of those that took the engine down", async () => {
    const { scoring } = stagesThatSay({ a: ["CORRUPT"], b: ["ENGINE_CRASHED"] });
    expect(await codesOf(scoring, false, ["a", "b"])).toEqual(["CORRUPT", "prediction"]);
  });
});
