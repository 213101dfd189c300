import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1, reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { describe, expect, it } from "vitest";
import { type PredictionStages, predictReference } from "./predict-reference.ts";

type Fault = DomainErrorCode | undefined;

/** What the stages answer, call by call; beyond the list, and for `undefined`, all is well. */
interface Faults {
  readonly reembed?: readonly Fault[];
  readonly aggregate?: readonly Fault[];
}

const VERSION = gatewayV1.Model.fromPartial({ head: "mean", reembedder: "r2t" });
const PREDICTION = commonV1.Prediction.fromPartial({ decision: ["yes"] });

function bagNamed(uri: string): commonV1.BagReference {
  return commonV1.BagReference.fromPartial({ object: { uri } });
}

/** Stages that fail as told, and what they were asked for: bags by name, a question mark behind those that were to be verified. */
function faultyStages(faults: Faults) {
  const asked = { reembed: [] as string[], aggregate: [] as string[] };
  const failNow = (stage: keyof Faults) => {
    const code = faults[stage]?.[asked[stage].length - 1];
    if (code !== undefined) throw new DomainError(code, "as told");
  };
  const stages = {
    reembed: {
      async *reembed({ bag, verify }: reembedV1.ReembedRequest) {
        asked.reembed.push(`${bag?.object?.uri}${verify ? "?" : ""}`);
        yield reembedV1.ReembedResponse.fromPartial({ event: { $case: "progress", value: {} } });
        await Promise.resolve();
        failNow("reembed");
        const value = bagNamed(`made of ${bag?.object?.uri}`);
        yield reembedV1.ReembedResponse.fromPartial({ event: { $case: "bag", value } });
      },
    },
    aggregate: {
      async predict({ bag, moreBags }: aggregateV1.PredictRequest) {
        asked.aggregate.push([bag, ...moreBags].map((each) => each?.object?.uri).join());
        await Promise.resolve();
        failNow("aggregate");
        return aggregateV1.PredictResponse.fromPartial({ prediction: PREDICTION });
      },
    },
  };
  return { stages: stages as unknown as PredictionStages, asked };
}

/** Predicts a bag, or two slides of a patient; gives the code of the failure, if any, and what was asked. */
async function predict(faults: Faults, more: readonly string[] = [], deadlineInMs = 60_000) {
  const { stages, asked } = faultyStages(faults);
  const { signal } = new AbortController();
  const context = { signal, deadlineMs: Date.now() + deadlineInMs } as unknown as HandlerContext;
  const bags = [bagNamed("a"), ...more.map(bagNamed)] as const;
  const outcome = await predictReference(stages, VERSION, bags, { includeAttention: false }, context).then(
    ({ prediction }) => prediction?.decision.join(),
    (error: DomainError) => error.code,
  );
  return { outcome, ...asked };
}

describe("attention", () => {
  const maps = {
    attention: { shape: [2, 1] },
    percentiles: { shape: [2, 1] },
    mapLabels: ["yes"],
    meanings: [{ kind: commonV1.MapMeaning_Kind.KIND_CLASS_SCORE, description: "a score" }],
  };
  const context = {
    signal: new AbortController().signal,
    deadlineMs: Date.now() + 60_000,
  } as unknown as HandlerContext;

  /** What is passed on, and what the stage was asked. */
  async function attend(wish: { readonly includePercentiles?: boolean }) {
    const asked: boolean[] = [];
    const aggregate = {
      attention({ includePercentiles }: aggregateV1.AttentionRequest) {
        asked.push(includePercentiles);
        const { percentiles, ...others } = maps;
        const answer = { ...others, ...(includePercentiles && { percentiles }), prediction: PREDICTION };
        return Promise.resolve(aggregateV1.AttentionResponse.fromPartial(answer));
      },
    };
    const model = gatewayV1.Model.fromPartial({ head: "max" });
    const stages = { aggregate } as unknown as PredictionStages;
    const answer = await predictReference(stages, model, [bagNamed("a")], { includeAttention: true, ...wish }, context);
    return { ...answer, asked };
  }

  it("comes with what its numbers mean", async () => {
    const { attention, prediction, asked } = await attend({});
    expect(asked).toEqual([false]);
    expect(prediction?.decision).toEqual(["yes"]);
    expect(attention).toMatchObject({ weights: { shape: [2, 1] }, mapLabels: ["yes"], meanings: maps.meanings });
    expect(attention?.percentiles).toBeUndefined();
  });

  it("comes with percentiles when they are asked for", async () => {
    const { attention, asked } = await attend({ includePercentiles: true });
    expect(asked).toEqual([true]);
    expect(attention?.percentiles).toMatchObject({ shape: [2, 1] });
  });
});

it.each<DomainErrorCode>(["UNREACHABLE", "STATE_LOST", "ENGINE_CRASHED"])(
  "has a bag re-embedded again when the stage says %s in the middle of it",
  async (code) => {
    expect(await predict({ reembed: [code] })).toEqual({
      outcome: "yes",
      reembed: ["a", "a"],
      aggregate: ["made of a"],
    });
  },
);

it("gives up on a stage that stays away, sooner on an engine that the bag may have brought down", async () => {
  const always = (code: DomainErrorCode) => ({ reembed: Array.from({ length: 99 }, () => code) });
  expect(await predict(always("UNREACHABLE"))).toMatchObject({ outcome: "UNREACHABLE", reembed: ["a", "a", "a", "a"] });
  expect(await predict(always("ENGINE_CRASHED"))).toMatchObject({ outcome: "ENGINE_CRASHED", reembed: ["a", "a"] });
});

it.each<DomainErrorCode>(["GEOMETRY_MISMATCH", "CORRUPT", "RESOURCE_EXHAUSTED", "OUT_OF_MEMORY"])(
  "does not repeat what the stage refuses with %s",
  async (code) => {
    expect(await predict({ reembed: [code] })).toEqual({ outcome: code, reembed: ["a"], aggregate: [] });
  },
);

it("does not repeat beyond the deadline of the call", async () => {
  expect(await predict({ reembed: ["UNREACHABLE"] }, [], 0)).toMatchObject({ outcome: "UNREACHABLE", reembed: ["a"] });
});

it.each<DomainErrorCode>(["CORRUPT", "TRUNCATED", "NOT_FOUND"])(
  "has kept re-embeddings verified, once, when the aggregating stage says %s of them",
  async (code) => {
    const slides = { reembed: ["a", "b", "a?", "b?"], aggregate: ["made of a,made of b", "made of a,made of b"] };
    expect(await predict({ aggregate: [code] }, ["b"])).toEqual({ outcome: "yes", ...slides });
    expect(await predict({ aggregate: [code, code] }, ["b"])).toEqual({ outcome: code, ...slides });
  },
);

it("does not have re-embeddings verified for what they cannot have caused", async () => {
  const outcome = "PRECONDITION_FAILED";
  expect(await predict({ aggregate: [outcome] })).toMatchObject({ outcome, reembed: ["a"], aggregate: ["made of a"] });
});
