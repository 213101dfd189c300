import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { bagFromEntry } from "./wire.ts";

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
