import { describe, expect, it } from "vitest";
import { targetOf } from "./operation-target.ts";

const ID = "0123456789abcdef0123456789abcdef";

describe("the target of an operation", () => {
  it.each([
    ["train", { modelId: "m" }, `projects/p/models/m/versions/${ID}`],
    ["pretrain", { modelId: "m" }, `projects/p/models/m/versions/${ID}`],
    ["import-model", { modelId: "m" }, `projects/p/models/m/versions/${ID}`],
    ["import", {}, "projects/p"],
    ["build-regions", {}, "projects/p"],
    ["cross-validate", { keepAs: "folds" }, "projects/p/models/folds"],
    ["cross-validate", {}, `projects/p/operations/${ID}`],
    ["batch", {}, `projects/p/operations/${ID}`],
  ])("of kind %s with %j is %s", (kind, input, target) => {
    expect(targetOf(kind, "p", input)(ID)).toBe(target);
  });
});
