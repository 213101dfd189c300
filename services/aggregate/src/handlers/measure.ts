import { DomainError } from "@parfocal/errors";
import { hasClasses, parseTask, type Task } from "@parfocal/models";
import type { aggregateV1, commonV1 } from "@parfocal/protocol";
import { type MeasuredCase, measureCases, partMetricsFromReport, patientsOf } from "@parfocal/training";
import { certaintyMetrics } from "../certainty-metrics.ts";
import { evaluationFromMetrics } from "../evaluation-to-wire.ts";
import { countSeen } from "../seen-to-wire.ts";
import { taskFromWire } from "../task-wire.ts";
import { labelFromWire } from "../wire.ts";

const MAX_CASES = 100_000;

/** `Measure`: metrics of predictions that came before, each decided by the thresholds it brings. */
export function createMeasure() {
  return ({ task, cases }: aggregateV1.MeasureRequest): Promise<aggregateV1.MeasureResponse> => {
    if (cases.length < 1 || cases.length > MAX_CASES) {
      throw new DomainError("INVALID_ARGUMENT", `cases has ${cases.length} entries; it is 1 to ${MAX_CASES}`, {
        details: { field: "cases" },
      });
    }
    if (task === undefined)
      throw new DomainError("INVALID_ARGUMENT", "task is missing", { details: { field: "task" } });
    const decided = parseTask(taskFromWire(task));
    const patients = patientsOf(
      cases.map(({ truth }) => ({ patient: truth?.patientKey ?? "", group: truth?.groupKey ?? "" })),
    );
    const measured = cases.map((each, index) => caseFromWire(decided, each, patients[index] ?? "", index));
    const certain = measured.map(({ patient, label }, index) => ({
      patient,
      label,
      prediction: cases[index]?.prediction,
    }));
    const evaluation = evaluationFromMetrics(partMetricsFromReport(measureCases(decided, measured)));
    const metrics = [...evaluation.metrics, ...certaintyMetrics(decided, certain)];
    const seen = countSeen(cases.flatMap(({ prediction }) => prediction ?? []));
    return Promise.resolve({ evaluation: { ...evaluation, metrics, seen } });
  };
}

function caseFromWire(
  task: Task,
  { truth, prediction }: aggregateV1.MeasuredCase,
  patient: string,
  index: number,
): MeasuredCase {
  const field = `cases[${index}]`;
  if (truth === undefined || prediction === undefined) {
    const missing = truth === undefined ? "truth" : "prediction";
    throw new DomainError("INVALID_ARGUMENT", `${field}.${missing} is missing`, { details: { field } });
  }
  const { survival } = prediction;
  return {
    patient,
    label: labelFromWire(task, truth, `${field}.truth`),
    answer: answerOf(task, prediction),
    ...(survival && { risk: survival.risk }),
    thresholds: prediction.probabilities.flatMap(({ threshold }) => threshold ?? []),
  };
}

function answerOf(task: Task, { probabilities, values }: commonV1.Prediction): number[] {
  if (hasClasses(task)) return probabilities.map(({ probability }) => probability);
  return values.map(({ value }) => value);
}
