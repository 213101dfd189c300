import { commonV1, messageFields } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import {
  type ArchitectureOptions,
  architectureFromOptions,
  HEADS,
  headCaseOf,
  REEMBEDDERS,
  reembedderCaseOf,
} from "./architecture-options.ts";

const fieldsOf = (message: string) => messageFields(`parfocal.common.v1.${message}`).map(({ name }) => name);

describe("the words for what a model is made of", () => {
  it("are there for every head of the contract", () => {
    const kinds = fieldsOf("Head").filter((name) => name !== "trunk");
    expect(new Set(HEADS.map(headCaseOf))).toEqual(new Set(kinds));
  });

  it("are there for every re-embedder of the contract, and for none", () => {
    expect(new Set(REEMBEDDERS.map(reembedderCaseOf))).toEqual(new Set([undefined, ...fieldsOf("Reembedder")]));
  });
});

describe("the layers in front of a head", () => {
  const baseOf = (json: object) => commonV1.Architecture.fromJSON({ head: json });
  const trunk = { hidden: [64], activation: "ACTIVATION_GELU", dropout: 0.5 };
  const gated = baseOf({ trunk, abmil: { attentionWidth: 128, gated: true } });
  const trunkOf = (options: ArchitectureOptions, base: commonV1.Architecture) =>
    architectureFromOptions(options, base).head?.trunk;

  it.each(["dsmil", "class-attention", "transmil", "dtfd"] as const)(
    "are the service's own for %s where the base has another head",
    (head) => {
      expect(trunkOf({ head }, gated)).toBeUndefined();
    },
  );

  it("are the usual ones for other heads, also where an option changes one of them", () => {
    const before = baseOf({ trunk: { hidden: [], dropout: 0 }, dsmil: {} });
    const unspecified = commonV1.Activation.ACTIVATION_UNSPECIFIED;
    for (const head of ["gated-abmil", "clam-sb", "mean"] as const)
      expect(trunkOf({ head }, before)).toEqual({ hidden: [512], activation: unspecified, dropout: 0.25 });
    expect(trunkOf({ head: "max", hidden: "32" }, before)).toMatchObject({ hidden: [32], dropout: 0.25 });
    expect(trunkOf({ head: "transmil", hidden: "32" }, gated)).toMatchObject({ hidden: [32], dropout: 0 });
    expect(trunkOf({ head: "dsmil", dropout: 0.1 }, gated)).toMatchObject({ hidden: [], dropout: 0.1 });
  });

  it("are the base's where its head stays, in another variant too, and where it has layers alone", () => {
    const kept = { hidden: [64], activation: commonV1.Activation.ACTIVATION_GELU, dropout: 0.5 };
    for (const options of [{}, { head: "gated-abmil" }, { head: "abmil" }] as const)
      expect(trunkOf(options, gated)).toEqual(kept);
    expect(trunkOf({ dropout: 0.1 }, gated)).toEqual({ ...kept, dropout: 0.1 });
    expect(trunkOf({ head: "dsmil" }, baseOf({ trunk }))).toEqual(kept);
  });
});
