import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { Experiment } from "../experiment/experiment.ts";
import { type Fact, formatCount, formatMetric, formatPlural } from "../report/index.ts";

/** What the words on decisions are made of. */
export interface DecisionSource {
  readonly experiment: Pick<Experiment, "sections">;
  readonly task: Pick<commonV1.Task, "kind" | "classes">;
  readonly rows: readonly AssignedRow[];
  /** A prediction of each model that decided, for its thresholds. */
  readonly examples: readonly commonV1.Prediction[];
  /** Cross-validation: what came of the folds. */
  readonly folds?: readonly gatewayV1.FoldResult[];
}

const { KIND_BINARY, KIND_COX, KIND_MULTILABEL, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;

/** How classes are decided; nothing of tasks that decide none. */
export function decisionFacts(source: DecisionSource): Fact[] {
  switch (source.task.kind) {
    case KIND_BINARY:
    case KIND_MULTILABEL:
      return thresholdFacts(source);
    case KIND_ORDINAL:
      return [{ name: "Rule", value: "the median class: the lowest at which probabilities from the lowest reach 1/2" }];
    case KIND_REGRESSION:
    case KIND_SURVIVAL:
    case KIND_COX:
      return [];
    default:
      return [{ name: "Rule", value: "the most probable class" }];
  }
}

function thresholdFacts(source: DecisionSource): Fact[] {
  const { task, examples, folds } = source;
  const names = task.kind === KIND_BINARY ? task.classes.slice(-1) : task.classes;
  const told = names.flatMap((name) => {
    const values = examples.flatMap((each) => thresholdOf(each, name) ?? []);
    return values.length === 0 ? [] : [`${names.length === 1 ? "" : `${name} `}${rangeOf(values)}`];
  });
  if (told.length === 0) return [];
  const each = folds === undefined ? "" : ", each fold by its own";
  return [
    { name: "Threshold", value: `${told.join(", ")}${each}` },
    { name: "Chosen by", value: folds === undefined ? choiceOf(source, names) : choiceInFolds(source, folds) },
  ];
}

function thresholdOf({ probabilities }: commonV1.Prediction, name: string): number | undefined {
  return probabilities.find(({ label }) => label === name)?.threshold;
}

function rangeOf(values: readonly number[]): string {
  const texts = [Math.min(...values), Math.max(...values)].map(formatMetric);
  return [...new Set(texts)].join(" to ");
}

/** How rules for thresholds are told. */
const RULES: Readonly<Record<string, string>> = {
  youden: "largest sensitivity + specificity",
  f1: "largest F1",
  sensitivity: "fewest false positives at the asked sensitivity",
};

const GIVEN = "given by the experiment";

function ruleOf({ experiment }: DecisionSource): string {
  return RULES[String(experiment.sections.threshold?.kind)] ?? "the model's own rule";
}

function isFixed({ experiment }: DecisionSource): boolean {
  return experiment.sections.threshold?.kind === "fixed";
}

/** Where the validation part lacks a side of a class nothing can be chosen, and the default stays. */
function choiceOf(source: DecisionSource, names: readonly string[]): string {
  if (isFixed(source)) return GIVEN;
  const validation = source.rows.filter(({ part }) => part === "validation");
  if (validation.length === 0) return "not chosen: there are no validation slides";
  const open = names.filter((name) => !hasBothSides(validation, name));
  if (open.length === names.length) return "not chosen: the validation slides lack a class";
  const left =
    open.length === 0 ? "" : `; not chosen of ${open.join(", ")}, which the validation slides have on one side alone`;
  return `${ruleOf(source)}, on ${formatPlural(validation.length, "validation slide")} only${left}`;
}

function hasBothSides(rows: readonly AssignedRow[], name: string): boolean {
  const known = rows.filter(({ row }) => !row.unknownLabels.includes(name));
  const nPositives = known.filter(({ row }) => row.labels.includes(name)).length;
  return nPositives > 0 && nPositives < known.length;
}

function choiceInFolds(source: DecisionSource, folds: readonly gatewayV1.FoldResult[]): string {
  if (isFixed(source)) return GIVEN;
  const counts = folds.map(({ validationCount }) => validationCount);
  if (counts.every((count) => count === 0)) return "not chosen: no fold has validation slides";
  return `${ruleOf(source)}, on each fold's own validation slides (${countRange(counts)}) only; 0.5 where these lack a class`;
}

/** "8", or "7 to 9". */
export function countRange(counts: readonly number[]): string {
  return [...new Set([Math.min(...counts), Math.max(...counts)])].map(formatCount).join(" to ");
}
