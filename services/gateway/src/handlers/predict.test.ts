import { aggregateV1, commonV1, gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createPredict } from "./predict.ts";

const DIGEST = "a".repeat(64);
const context = { signal: new AbortController().signal, deadlineMs: Date.now() + 60_000 } as unknown as HandlerContext;

/** `Predict` on a stage that gives two tiles' weights, and what that was asked for. */
function predictor() {
  const asked: (aggregateV1.AttentionRequest | "prediction")[] = [];
  const prediction = commonV1.Prediction.fromPartial({ decision: ["yes"] });
  const aggregate = {
    predict() {
      asked.push("prediction");
      return Promise.resolve(aggregateV1.PredictResponse.fromPartial({ prediction }));
    },
    attention(request: aggregateV1.AttentionRequest) {
      asked.push(request);
      const array = { shape: [2, 1] };
      const percentiles = request.includePercentiles ? { percentiles: array } : {};
      const meanings = [{ kind: commonV1.MapMeaning_Kind.KIND_ATTENTION, description: "a weight" }];
      return Promise.resolve(
        aggregateV1.AttentionResponse.fromPartial({ prediction, attention: array, meanings, ...percentiles }),
      );
    },
  };
  const version = gatewayV1.Model.fromPartial({ name: "projects/p/models/m/versions/v", head: "abmil" });
  const ref = {
    key: "bags/a",
    digest: DIGEST,
    n: 2,
    d: 4,
    dtype: "F32",
    sizeBytes: 64,
    hasCoords: false,
    metadata: {},
  };
  const deps = {
    ...{ store: createMemoryStore(), aggregate, reembed: {} },
    models: { get: () => Promise.resolve(version) },
    bags: { get: () => Promise.resolve({ ref }) },
  };
  const predict = createPredict(deps as unknown as Parameters<typeof createPredict>[0]);
  const ask = (wish: Partial<gatewayV1.PredictRequest>) =>
    predict(
      gatewayV1.PredictRequest.fromPartial({ model: "projects/p/models/m", bag: `projects/p/bags/${DIGEST}`, ...wish }),
      context,
    );
  return { ask, asked };
}

describe("Predict", () => {
  it("gives no attention unasked", async () => {
    const { ask, asked } = predictor();
    expect((await ask({})).attention).toBeUndefined();
    expect(asked).toEqual(["prediction"]);
  });

  it("gives attention with its meaning, without percentiles", async () => {
    const { ask, asked } = predictor();
    const { attention } = await ask({ includeAttention: true });
    expect(attention).toMatchObject({ weights: { shape: [2, 1] }, meanings: [{ description: "a weight" }] });
    expect(attention?.percentiles).toBeUndefined();
    expect(asked).toMatchObject([{ includePercentiles: false }]);
  });

  it("gives percentiles beside it when asked for both", async () => {
    const { ask, asked } = predictor();
    const { attention } = await ask({ includeAttention: true, includePercentiles: true });
    expect(attention?.percentiles).toMatchObject({ shape: [2, 1] });
    expect(asked).toMatchObject([{ includePercentiles: true }]);
  });

  it("refuses percentiles of no attention before anything is asked", async () => {
    const { ask, asked } = predictor();
    await expect(ask({ includePercentiles: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("include_percentiles is true") as string,
      details: { field: "include_percentiles" },
    });
    expect(asked).toEqual([]);
  });
});
