import { describe, expect, it } from "vitest";
import { createDescriptorIndex } from "./descriptor-index.ts";
import { readDescriptorSet } from "./descriptor-set.ts";

const index = createDescriptorIndex(readDescriptorSet());

describe("the descriptor set", () => {
  it("holds every contract we serve and every file they import", () => {
    for (const symbol of [
      "parfocal.gateway.v1.BagService",
      "inference.GRPCInferenceService",
      "google.rpc.ErrorInfo",
      "grpc.health.v1.Health",
    ]) {
      const file = index.fileOfSymbol(symbol);
      expect(file, symbol).toBeDefined();
      const names = index.closure(file!)!.map((found) => found.name);
      expect(names.at(-1)).toBe(file);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("gives imports before importers", () => {
    const seen = new Set<string>();
    for (const { name, dependencies } of index.closure("parfocal/gateway/v1/training.proto")!) {
      for (const dependency of dependencies) expect(seen, name).toContain(dependency);
      seen.add(name);
    }
  });

  it("leaves out what is known, and knows nothing of other files", () => {
    const all = index.closure("google/longrunning/operations.proto")!.map((file) => file.name);
    const rest = index.closure("google/longrunning/operations.proto", new Set(all.slice(0, -1)))!;
    expect(rest.map((file) => file.name)).toEqual(["google/longrunning/operations.proto"]);
    expect(index.closure("no/such.proto")).toBeUndefined();
    expect(index.fileOfSymbol("onnx.ModelProto")).toBeUndefined();
  });
});
