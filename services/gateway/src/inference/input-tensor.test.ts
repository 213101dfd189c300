import { inferenceV2 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { inputTensorsOf } from "./input-tensor.ts";

it.each(["__proto__", "constructor", "toString", "UINT8"])("has no datatype %s of typed contents", (datatype) => {
  const inputs = [{ name: "features", datatype, shape: [1n], contents: { fp32Contents: [1] } }];
  const request = inferenceV2.ModelInferRequest.fromPartial({ inputs });
  expect(() => inputTensorsOf(request)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("FP32, FP64, INT32, INT64, BYTES") as string,
      details: { field: "inputs[0].datatype" },
    }) as Error,
  );
});
