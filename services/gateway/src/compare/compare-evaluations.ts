import { DomainError } from "@parfocal/errors";
import {
  type ComparedClassifier,
  type Comparison,
  type Contest,
  compareContenders,
  contestOfClassifiers,
  contestOfNumbers,
  contestOfRisks,
  createRng,
  type EvaluationTask,
} from "@parfocal/metrics";
import { type aggregateV1, commonV1, gatewayV1 } from "@parfocal/protocol";
import type { ComparedCase } from "./compared-cases.ts";

const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL, KIND_COX } =
  commonV1.Task_Kind;

/** The bootstrap of every comparison: the same versions on the same bags give the same answer. */
const SEED = 1n;

/**
 * Paired comparison of versions by what they say of the same cases.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a task that decides nothing; what the metrics throw.
 */
export function compareEvaluations(task: commonV1.Task, cases: readonly ComparedCase[]): gatewayV1.ModelComparison[] {
  return contests(task, cases).flatMap(({ label, contest }) =>
    compareContenders(contest.contenders, contest.cases, { rng: createRng(SEED) }).map((row) => toWire(row, label)),
  );
}

interface NamedContest {
  /** The number of a regression with several; else empty. */
  readonly label: string;
  readonly contest: Contest;
}

function contests(task: commonV1.Task, cases: readonly ComparedCase[]): NamedContest[] {
  switch (task.kind) {
    case KIND_REGRESSION:
      return numberContests(task, cases);
    case KIND_SURVIVAL:
    case KIND_COX:
      return [{ label: "", contest: riskContest(cases) }];
    default:
      return [{ label: "", contest: classContest(task, cases) }];
  }
}

function classContest(task: commonV1.Task, cases: readonly ComparedCase[]): Contest {
  const labels = cases.map(({ labelled }) => classLabel(task, labelled));
  const nModels = cases[0]?.predictions.length ?? 0;
  const models = Array.from({ length: nModels }, (_, m) =>
    classifierOf(
      task,
      cases.map(({ predictions }) => predictions[m]),
    ),
  );
  return contestOfClassifiers(evaluationTask(task), patientsOf(cases), labels, models);
}

/** A version, or the versions of several folds: cases with thresholds of their own are decided by these. */
function classifierOf(
  task: commonV1.Task,
  predictions: readonly (commonV1.Prediction | undefined)[],
): ComparedClassifier {
  const rows = predictions.map((prediction) => prediction?.probabilities ?? []);
  const probabilities = rows.map((row) => row.map(({ probability }) => probability));
  const limits = rows.map((row) => row.flatMap(({ threshold }) => threshold ?? []));
  // A binary model shows the threshold of its positive class alone, which comes last.
  const thresholds = limits.map((row) => (task.kind === KIND_BINARY ? row.slice(-1) : row));
  return { probabilities, thresholds: thresholds[0] ?? [], thresholdsOfCases: thresholds };
}

function numberContests({ classes }: commonV1.Task, cases: readonly ComparedCase[]): NamedContest[] {
  return classes.flatMap((name) => {
    const known = cases.flatMap(({ labelled, ...rest }) => {
      const target = Object.hasOwn(labelled.values, name) ? labelled.values[name] : undefined;
      return target === undefined ? [] : [{ ...rest, target }];
    });
    if (known.length === 0) return [];
    const models = predictionsByModel(known, ({ values }) => values.find(({ label }) => label === name)?.value);
    const contest = contestOfNumbers(
      patientsOf(known),
      known.map(({ target }) => target),
      models,
    );
    return [{ label: classes.length > 1 ? name : "", contest }];
  });
}

function riskContest(cases: readonly ComparedCase[]): Contest {
  const outcomes = {
    times: cases.map(({ labelled }) => labelled.survival?.time ?? Number.NaN),
    events: cases.map(({ labelled }) => Number(labelled.survival?.event)),
  };
  return contestOfRisks(
    patientsOf(cases),
    outcomes,
    predictionsByModel(cases, ({ survival }) => survival?.risk),
  );
}

/** `[M][N]`: one number of each case by each version. */
function predictionsByModel(
  cases: readonly Pick<ComparedCase, "predictions">[],
  numberOf: (prediction: commonV1.Prediction) => number | undefined,
): number[][] {
  return (cases[0]?.predictions ?? []).map((_, m) =>
    cases.map(({ predictions }) => {
      const prediction = predictions[m];
      return (prediction && numberOf(prediction)) ?? Number.NaN;
    }),
  );
}

function patientsOf(cases: readonly Pick<ComparedCase, "patient">[]): string[] {
  return cases.map(({ patient }) => patient);
}

/** The stage has checked the names. */
function classLabel({ kind, classes }: commonV1.Task, labelled: aggregateV1.LabelledBag): number | (number | null)[] {
  const { labels, unknownLabels } = labelled;
  if (kind !== KIND_MULTILABEL) return classes.indexOf(labels[0] ?? "");
  return classes.map((name) => (unknownLabels.includes(name) ? null : Number(labels.includes(name))));
}

function evaluationTask({ kind, classes }: commonV1.Task): EvaluationTask {
  switch (kind) {
    case KIND_BINARY:
      return { kind: "binary", classes: [classes[0] ?? "", classes[1] ?? ""] };
    case KIND_MULTICLASS:
      return { kind: "multi-class", classes };
    case KIND_ORDINAL:
      return { kind: "ordinal", classes };
    case KIND_MULTILABEL:
      return { kind: "multi-label", classes };
    default:
      throw new DomainError("PRECONDITION_FAILED", "the versions decide nothing that could be compared", {
        details: { field: "names", precondition: "TASK" },
      });
  }
}

const METHODS = {
  delong: gatewayV1.ModelComparison_Method.METHOD_DELONG,
  mcnemar: gatewayV1.ModelComparison_Method.METHOD_MCNEMAR,
  "paired-bootstrap": gatewayV1.ModelComparison_Method.METHOD_PAIRED_BOOTSTRAP,
} as const;

function toWire(row: Comparison, label: string): gatewayV1.ModelComparison {
  return {
    first: row.first,
    second: row.second,
    metric: row.metric.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    difference: row.difference ?? undefined,
    lower: row.interval?.low,
    upper: row.interval?.high,
    pValue: row.pValue ?? undefined,
    adjustedPValue: row.adjustedP ?? undefined,
    method: METHODS[row.method],
    label,
  };
}
