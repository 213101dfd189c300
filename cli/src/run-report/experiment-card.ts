import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { Experiment, Section } from "../experiment/experiment.ts";
import { type Fact, formatCount, formatPlural, type ModelCard } from "../report/index.ts";
import { VERSION } from "../version.ts";
import { countRange, decisionFacts } from "./decision-facts.ts";
import { groupRuleOf } from "./group-words.ts";
import { sectionFacts } from "./section-facts.ts";

/** What the model card of an experiment is made of. */
export interface CardSource {
  readonly experiment: Experiment;
  readonly task: commonV1.Task;
  /** Absent: a cross-validation, see `folds`. */
  readonly model?: gatewayV1.Model;
  /** Cross-validation: what came of the folds, with the names of those models that were kept. */
  readonly folds?: readonly gatewayV1.FoldResult[];
  readonly rows: readonly AssignedRow[];
  readonly seeds: readonly bigint[];
  readonly configSha256: string;
  readonly dataSha256: string;
  /** A prediction of each model that decided, for the thresholds. */
  readonly examples: readonly commonV1.Prediction[];
}

/** The model card of an experiment: what a reader must know, without a name of a patient or slide. */
export function experimentCard(source: CardSource): ModelCard {
  const { experiment, model, rows } = source;
  const { head = {}, reembed = {}, ...others } = experiment.model;
  return {
    ...identityOf(source),
    intendedUse: `Research on bags like those of the training data: ${inputOf(rows)}.`,
    limitations: limitationsOf(source),
    architecture: [
      ...prefixed("Head", sectionFacts(head as Section)),
      ...prefixed("Re-embedder", sectionFacts(reembed as Section)),
      ...sectionFacts(others),
      ...(model === undefined ? [] : [{ name: "parameters", value: formatCount(Number(model.parameterCount)) }]),
    ],
    recipe: [...taskFacts(experiment), ...sectionFacts(experiment.sections.recipe ?? {}), ...groupFacts(experiment)],
    provenance: provenanceOf(source),
    decision: decisionFacts(source),
  };
}

/** A cross-validation has a model of each fold, or none where they were not kept. */
function identityOf({ experiment, model, folds = [] }: CardSource): Pick<ModelCard, "name" | "version"> {
  const kept = folds.flatMap((fold) => (fold.model === "" ? [] : [fold.model.split("/versions/")]));
  const [name = "", version = ""] = model?.name.split("/versions/") ?? kept[0] ?? [experiment.name];
  if (kept.length > 0) return { name, version: `one of each fold: ${kept.map(([, id = ""]) => id).join(", ")}` };
  return {
    name,
    version: model === undefined ? "none: a cross-validation measures a recipe, and its models were not kept" : version,
  };
}

/** What is learnt, and how times of events are: their intervals, or what is done with ties. */
function taskFacts({ task = {} }: Experiment): Fact[] {
  const { kind, survival } = task;
  return [
    ...(typeof kind === "string" ? [{ name: "task", value: kind }] : []),
    ...(survival === undefined ? [] : sectionFacts({ survival })),
  ];
}

function groupFacts(experiment: Experiment): Fact[] {
  const rule = groupRuleOf(experiment);
  return rule === undefined ? [] : [{ name: "slides with one label", value: rule }];
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

function limitationsOf(source: CardSource): string[] {
  const { task } = source;
  const isClassifier = task.classes.length > 0 && task.kind !== commonV1.Task_Kind.KIND_REGRESSION;
  return [
    `Learnt from ${learntFrom(source)}; nothing is known of other scanners, stains, sites and populations.`,
    "Held-out slides come from the same collection as the training slides: expect less elsewhere.",
    ...(isClassifier ? ["Probabilities are as good as the calibration plot shows on these slides, no better."] : []),
  ];
}

function learntFrom({ rows, folds }: CardSource): string {
  if (folds === undefined) return formatPlural(rows.filter(({ part }) => part === "train").length, "slide");
  return `${countRange(folds.map(({ trainCount }) => trainCount))} slides in each fold`;
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
