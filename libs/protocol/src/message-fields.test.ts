import { describe, expect, it } from "vitest";
import { messageFields } from "./message-fields.ts";

const INT32 = { kind: "integer", min: -(2n ** 31n), max: 2n ** 31n - 1n };

describe("messageFields", () => {
  it("gives names, kinds and presence in the order of the contract", () => {
    expect(messageFields("parfocal.common.v1.EarlyStopping")).toEqual([
      { name: "patience", isList: false, canBeAbsent: false, value: INT32 },
      { name: "minEpochs", isList: false, canBeAbsent: false, value: INT32 },
      {
        name: "metric",
        isList: false,
        canBeAbsent: false,
        value: { kind: "enum", names: ["METRIC_UNSPECIFIED", "METRIC_AUROC", "METRIC_LOSS", "METRIC_TASK"] },
      },
    ]);
    const byName = new Map(messageFields("parfocal.common.v1.R2tReembedder").map((field) => [field.name, field]));
    expect(byName.get("qkvBias")).toMatchObject({ canBeAbsent: true, value: { kind: "flag" } });
    expect(byName.get("dropout")).toMatchObject({ canBeAbsent: true, value: { kind: "number" } });
    const seed = messageFields("parfocal.common.v1.Recipe").find(({ name }) => name === "seed");
    expect(seed?.value).toEqual({ kind: "integer", min: 0n, max: 2n ** 64n - 1n });
    expect(messageFields("parfocal.common.v1.Trunk")[0]).toMatchObject({ name: "hidden", isList: true });
    expect(messageFields("parfocal.common.v1.Head")[0]).toMatchObject({
      canBeAbsent: true,
      value: { kind: "message", type: "parfocal.common.v1.Trunk" },
    });
  });

  it("gives none for what is in no contract", () => {
    expect(messageFields("parfocal.common.v1.Nothing")).toEqual([]);
  });
});
