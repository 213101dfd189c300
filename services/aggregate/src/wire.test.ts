import { aggregateV1 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { labelFromWire } from "./wire.ts";

it("knows no number that a bag does not have, whatever the number is called", () => {
  const labelled = aggregateV1.LabelledBag.fromPartial({ values: { mm: 1 } });
  const classes = ["constructor", "mm", "__proto__", "toString"];
  expect(labelFromWire({ kind: "regression", classes }, labelled, "bags[0]")).toEqual([null, 1, null, null]);
});
