import type { BagMetadata } from "@parfocal/bags";
import { expect, it } from "vitest";
import { patientKeyOf } from "./patient-key.ts";

const metadata = (known: Partial<BagMetadata>) => ({ levelCount: 1, ...known }) as BagMetadata;
const given = (patientId: string, groupId = "") => ({ patientId, groupId });

it.each([
  ["the patient that is given", { patientId: "a", slideId: "s" }, given("b"), "b"],
  ["the bag's own", { patientId: "a", slideId: "s" }, given(""), "a"],
  ["the slide, which is no patient's id", { slideId: "s" }, given(""), "\u0000slide s"],
  ["the slide, where a request cannot say", { slideId: "s" }, undefined, "\u0000slide s"],
  ["the group, by being empty", { slideId: "s" }, given("", "g"), ""],
  ["nothing", {}, given(""), ""],
])("bags are kept together by %s", (_name, known, said, key) => {
  expect(patientKeyOf(metadata(known), said)).toBe(key);
});
