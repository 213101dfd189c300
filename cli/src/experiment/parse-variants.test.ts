import { resolveTrainingSpec } from "@parfocal/service-aggregate/resolve-spec";
import { describe, expect, it } from "vitest";
import { parseExperiment } from "./parse-experiment.ts";
import { parseVariants } from "./parse-variants.ts";

const BASE = `name: tumour
data: {labels: labels.csv}
model:
  head: {kind: gated-abmil, attention_width: 64, trunk: {hidden: [32]}}
recipe: {epochs: 5}
output: out
variants:
`;

const variantsOf = (text: string, overrides: readonly string[] = []) =>
  parseVariants(parseExperiment(`${BASE}${text}`, "/lab/exp.yaml", overrides), resolveTrainingSpec);

describe("variants", () => {
  it("are the experiment with values of their own, in folders of their own", () => {
    const [wide, longer] = variantsOf(
      "  - {name: wide, model: {head: {attention_width: 128}}}\n  - {name: longer, recipe: {epochs: 9}}\n",
      ["recipe.epochs=2"],
    );
    expect(wide?.experiment).toMatchObject({
      name: "tumour-wide",
      output: "/lab/out/wide",
      model: { head: { kind: "gated-abmil", attention_width: 128, trunk: { hidden: [32] } } },
      sections: { recipe: { epochs: 2 } },
    });
    expect([longer?.name, longer?.experiment.sections.recipe]).toEqual(["longer", { epochs: 9 }]);
  });

  it("make a group anew by another kind, whatever the order of its values", () => {
    const [, clam] = variantsOf(
      "  - {name: a}\n  - {name: clam, model: {head: {trunk: {hidden: [16]}, kind: clam-sb}}}\n",
    );
    expect(clam?.experiment.model.head).toEqual({ kind: "clam-sb", trunk: { hidden: [16] } });
  });

  it("take the experiment's values out by nothing, single ones and groups", () => {
    const [random, plain] = variantsOf(
      "  - {name: random, model: {start_from: null}}\n  - name: plain\n    model: {head: {trunk:}}\n",
      ["model.start_from=mixer"],
    );
    expect([random?.experiment.startFrom, plain?.experiment.startFrom]).toEqual([undefined, "mixer"]);
    expect(random?.experiment.model.head).toMatchObject({ trunk: { hidden: [32] } });
    expect(plain?.experiment.model.head).toEqual({ kind: "gated-abmil", attention_width: 64 });
    expect(() => variantsOf("  - {name: a}\n  - {name: b, recipe: null}\n")).toThrow("variants[1].recipe is null");
  });

  it("tell all mistakes at their places, those of the service's bounds too", () => {
    const text =
      "  - {name: a, model: {head: {attention_widht: 3}}}\n  - {name: b, recipe: {epochs: 0}}\n  - {name: a}\n  - {name: c, model: {head: {kind: x}}}\n";
    expect(() => variantsOf(text)).toThrow(
      [
        "/lab/exp.yaml:8:30: variant a: model.head has no attention_widht; did you mean attention_width?",
        "/lab/exp.yaml:9:32: variant b: recipe.epochs is 0; it must be a whole number from 1 to 10000",
        "/lab/exp.yaml:10:12: variant a: another variant has this name",
        "/lab/exp.yaml:11:36: variant c: model.head.kind is ",
      ].join("\n"),
    );
    expect(() => variantsOf("  - {name: a}\n")).toThrow("exp.yaml:8:3: variants is ");
    expect(() => variantsOf("  - {name: a, seeds: 3}\n  - {name: b}\n")).toThrow(
      "variants[0] has no seeds; it has name, model",
    );
  });

  it("are none where the file names none", () => {
    const text = BASE.replace("variants:\n", "");
    expect(parseVariants(parseExperiment(text, "exp.yaml"), resolveTrainingSpec)).toEqual([]);
  });
});
