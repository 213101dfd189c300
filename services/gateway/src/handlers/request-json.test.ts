import { type aggregateV1, commonV1, gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { describe, expect, it } from "vitest";
import type { GatewayDeps } from "../deps.ts";
import { createSourceRoots } from "../imports/source-roots.ts";
import { createBatchPredict } from "./batch-predict.ts";
import { createCrossValidate } from "./cross-validate.ts";
import { createImportModel } from "./import-model.ts";
import { createPretrain } from "./pretrain.ts";
import { requestJson } from "./request-json.ts";
import { createTrain } from "./train.ts";

const UNKNOWN = 7777 as number;
const parent = "projects/p";
const BAGS = ["a", "b"].map((digit) => ({ bag: `${parent}/bags/${digit.repeat(64)}`, patientId: "PATIENT" }));
const context = { signal: new AbortController().signal } as HandlerContext;
const roots = createSourceRoots([], {});

/** Nothing of it is reached: a request that has no JSON names no operation. */
const deps = {} as GatewayDeps;

function specOf(change: object): commonV1.TrainingSpec {
  return commonV1.TrainingSpec.fromPartial({ task: { classes: ["PATIENT", "b"] }, ...change });
}

function train(change: object): Promise<unknown> {
  const request = { parent, modelId: "m", bags: BAGS, spec: specOf({}), ...change };
  return createTrain(deps)(gatewayV1.TrainRequest.fromPartial(request), context);
}

const REQUESTS: readonly (readonly [field: string, ask: () => Promise<unknown>])[] = [
  ["spec.task.kind", () => train({ spec: specOf({ task: { kind: UNKNOWN } }) })],
  ["bags[1].part", () => train({ bags: [BAGS[0], { ...BAGS[1], part: UNKNOWN }] })],
  [
    "spec.architecture.head.class_attention.branches",
    () => {
      const kind = { $case: "classAttention", value: { branches: UNKNOWN } };
      return train({ spec: specOf({ architecture: { head: { kind } } }) });
    },
  ],
  [
    "spec.recipe.early_stopping.metric",
    () => {
      const spec = specOf({ recipe: { earlyStopping: { metric: UNKNOWN } } });
      const request = gatewayV1.CrossValidateRequest.fromPartial({ parent, bags: BAGS, spec, folds: 2 });
      return createCrossValidate(deps)(request, context);
    },
  ],
  [
    "task.kind",
    () => {
      const request = { parent, modelId: "m", uri: "file:///PATIENT.pt", task: { kind: UNKNOWN } };
      return createImportModel(deps, roots)(gatewayV1.ImportModelRequest.fromPartial(request as object), context);
    },
  ],
  [
    "patient_rule",
    () => {
      const request = gatewayV1.BatchPredictRequest.fromPartial({ parent, patientRule: UNKNOWN } as object);
      return createBatchPredict(deps, roots)(request, context);
    },
  ],
  [
    "spec.mixer.preset",
    () => {
      const request = { parent, modelId: "m", bags: BAGS.map(({ bag }) => bag), spec: { mixer: { preset: UNKNOWN } } };
      return createPretrain(deps)(gatewayV1.PretrainRequest.fromPartial(request as object), context);
    },
  ],
];

describe("a request with a number that its enum does not have", () => {
  it.each(REQUESTS)("is refused by the name of the field: %s", async (field, ask) => {
    await expect(ask()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { field, value: "7777" },
      message: expect.stringMatching(/^[a-z0-9_.[\]]+ is 7777; [A-Za-z_]+ has no such value$/) as string,
    });
    await expect(ask()).rejects.not.toThrow("PATIENT");
  });

  it("is walked through once more to find the field, however many bags it names", () => {
    const bags = Array.from({ length: 1000 }, () => BAGS[0]!);
    const spec = specOf({ outliers: { action: UNKNOWN } });
    let nWalks = 0;
    const codec = {
      toJSON(message: gatewayV1.TrainRequest) {
        nWalks += 1;
        return gatewayV1.TrainRequest.toJSON(message);
      },
    };
    const request = gatewayV1.TrainRequest.fromPartial({ parent, bags, spec });
    expect(() => requestJson(codec, request)).toThrow("spec.outliers.action is 7777");
    expect(nWalks).toBe(2);
  });
});

describe("requestJson", () => {
  it("gives the canonical JSON", () => {
    const request = gatewayV1.TrainRequest.fromPartial({ parent, bags: [{ part: commonV1.Part.PART_TEST }] });
    expect(requestJson(gatewayV1.TrainRequest, request)).toEqual({ parent, bags: [{ part: "PART_TEST" }] });
  });

  it("leaves other failures what they are", () => {
    const codec = {
      toJSON: (_: aggregateV1.LabelledBag) => {
        throw new RangeError("out of reach");
      },
    };
    expect(() => requestJson(codec, {} as aggregateV1.LabelledBag)).toThrow(RangeError);
  });
});
