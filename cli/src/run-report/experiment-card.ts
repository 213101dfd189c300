import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { Experiment, Section } from "../experiment/experiment.ts";
import { type Fact, formatCount, formatPlural, type ModelCard } from "../report/index.ts";
import { VERSION } from "../version.ts";
import { sectionFacts } from "./section-facts.ts";

/** What the model card of an experiment is made of. */
export interface CardSource {
  readonly experiment: Experiment;
  readonly task: commonV1.Task;
  /** Absent: a cross-validation, which publishes none. */
  readonly model?: gatewayV1.Model;
  readonly rows: readonly AssignedRow[];
  readonly seeds: readonly bigint[];
  readonly configSha256: string;
  readonly dataSha256: string;
  /** Any prediction, for the thresholds that the model decides by. */
  readonly example?: commonV1.Prediction;
}

/** The model card of an experiment: what a reader must know, without a name of a patient or slide. */
export function experimentCard(source: CardSource): ModelCard {
  const { experiment, model, rows } = source;
  const [name = "", version = ""] = (model?.name ?? experiment.name).split("/versions/");
  const { head = {}, reembed = {}, ...others } = experiment.model;
  return {
    name,
    version: version === "" ? "none: a cross-validation measures a recipe and publishes no model" : version,
    intendedUse: `Research on bags like those of the training data: ${inputOf(rows)}.`,
    limitations: limitationsOf(source),
    architecture: [
      ...prefixed("Head", sectionFacts(head as Section)),
      ...prefixed("Re-embedder", sectionFacts(reembed as Section)),
      ...sectionFacts(others),
      ...(model === undefined ? [] : [{ name: "parameters", value: formatCount(Number(model.parameterCount)) }]),
    ],
    recipe: sectionFacts(experiment.sections.recipe ?? {}),
    provenance: provenanceOf(source),
    threshold: thresholdOf(source),
  };
}

/** The kind of a group stands under the group's own name. */
function prefixed(name: string, facts: readonly Fact[]): Fact[] {
  return facts.map((fact) => (fact.name === "kind" ? { ...fact, name } : fact));
}

function inputOf(rows: readonly AssignedRow[]): string {
  const encoder = rows[0]?.bag.info?.encoder;
  const width = formatCount(rows[0]?.bag.reference?.featureDim ?? 0);
  return `${width} features a tile${encoder ? ` by ${encoder}` : " of an encoder that the bags do not name"}`;
}

function limitationsOf({ rows, task }: CardSource): string[] {
  const nTrain = rows.filter(({ part }) => part === "train").length;
  const isClassifier = task.classes.length > 0 && task.kind !== commonV1.Task_Kind.KIND_REGRESSION;
  return [
    `Learnt from ${formatPlural(nTrain, "slide")}; nothing is known of other scanners, stains, sites and populations.`,
    "Held-out slides come from the same collection as the training slides: expect less elsewhere.",
    ...(isClassifier ? ["Probabilities are as good as the calibration plot shows on these slides, no better."] : []),
  ];
}

function provenanceOf({ model, seeds, configSha256, dataSha256 }: CardSource): Fact[] {
  const manifest = model?.reference?.manifest?.sha256;
  return [
    { name: seeds.length === 1 ? "Seed" : "Seeds", value: seeds.join(", ") },
    { name: "Configuration", value: `sha256:${configSha256}`, isCode: true },
    { name: "Data", value: `sha256:${dataSha256}`, isCode: true },
    ...(manifest ? [{ name: "Package", value: `sha256:${manifest}`, isCode: true }] : []),
    { name: "Software", value: `Parfocal ${VERSION}, Node ${process.versions.node}` },
  ];
}

/** How rules for thresholds are told. */
const RULES: Readonly<Record<string, string>> = {
  youden: "largest sensitivity + specificity",
  f1: "largest F1",
  sensitivity: "fewest false positives at the asked sensitivity",
  fixed: "given by the experiment",
};

function thresholdOf({ task, example, experiment, rows }: CardSource): ModelCard["threshold"] {
  const all = example?.probabilities.flatMap(({ threshold }) => threshold ?? []) ?? [];
  const values = task.kind === commonV1.Task_Kind.KIND_BINARY ? all.slice(-1) : all;
  if (values.length === 0) return null;
  const nValidation = rows.filter(({ part }) => part === "validation").length;
  const rule = RULES[String(experiment.sections.threshold?.kind)] ?? "the model's own rule";
  return { values, source: `${rule}, on ${formatPlural(nValidation, "validation slide")} only` };
}
