import { gatewayV1 } from "@parfocal/protocol";
import { domainErrorFromStatus } from "@parfocal/runtime";
import { describe, expect, it } from "vitest";
import { bagFromEntry, operationFromState } from "./wire.ts";

const REF = { key: "k", digest: "a".repeat(64), sizeBytes: 1, n: 1, d: 1, dtype: "F32", hasCoords: true } as const;

describe("a bag as clients see it", () => {
  it.each([
    [{ coordUnit: "level0_px" }, "COORDINATE_UNIT_LEVEL0_PX"],
    [{ coordUnit: "encoded_px" }, "COORDINATE_UNIT_ENCODED_PX"],
    [{}, "COORDINATE_UNIT_UNSPECIFIED"],
  ] as const)("tells the unit of its coordinates: %o", (metadata, name) => {
    const { info } = bagFromEntry({ rootUri: "file:///store" }, "p", { ref: REF, metadata });
    expect(info?.coordinateUnit).toBe(gatewayV1.BagInfo_CoordinateUnit[name]);
  });

  it("may come from a journal that was written before bags told their unit", () => {
    const info = gatewayV1.BagInfo.fromJSON({ slideId: "s", level0StridePx: 224 });
    expect(info.coordinateUnit).toBe(gatewayV1.BagInfo_CoordinateUnit.COORDINATE_UNIT_UNSPECIFIED);
  });
});

describe("an operation that failed, as clients see it", () => {
  it.each([undefined, { expected: "1024", actual: "768" }])("has the details of its error: %o", (details) => {
    const message = "the bag has 768 features, the model takes 1024";
    const { result } = operationFromState({
      ...{ name: "projects/p/operations/o", kind: "train", createTimeMs: 0, isCancelRequested: false, sequence: 2 },
      progress: { phase: "done" },
      outcome: { kind: "failed", code: "SHAPE_MISMATCH", message, ...(details && { details }) },
    });
    const error = result?.$case === "error" ? domainErrorFromStatus(result.value) : undefined;
    expect(error).toMatchObject({ code: "SHAPE_MISMATCH", message, details: details ?? {} });
  });
});
