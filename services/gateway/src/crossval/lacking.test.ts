import { gatewayV1 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { lacking } from "./lacking.ts";

const requestOf = (bags: object[]) => gatewayV1.CrossValidateRequest.fromPartial({ bags });

it("tells the classes that a part has no bag of, by name", () => {
  const request = requestOf([{ labels: ["b"] }, { labels: ["a", "c"] }, { labels: [], unknownLabels: ["a"] }]);
  expect(lacking(request, [0])).toEqual(["a", "c"]);
  expect(lacking(request, [0, 1])).toEqual([]);
  expect(lacking(request, [2])).toEqual(["a", "b", "c"]);
});

it("tells of survival where no event came, and nothing of numbers or of what no bag has", () => {
  const survival = requestOf([{ survival: { time: 1, event: true } }, { survival: { time: 2, event: false } }]);
  expect(lacking(survival, [1])).toEqual(["event"]);
  expect(lacking(survival, [0])).toEqual([]);
  expect(lacking(requestOf([{ survival: { time: 2, event: false } }]), [0])).toEqual([]);
  expect(lacking(requestOf([{ values: { age: 3 } }, { values: { age: 4 } }]), [0])).toEqual([]);
});
