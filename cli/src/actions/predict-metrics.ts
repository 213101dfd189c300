import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { ENSEMBLE } from "@parfocal/service-gateway/ensemble";
import type { BagOutcome } from "../client/predict-bags.ts";
import { measurePredictions } from "../cohort/measure-predictions.ts";
import { describeError, UsageError } from "../exit-codes.ts";
import { showReportMetrics } from "../output/prediction-table.ts";
import { countSeenOf, figureLines } from "../output/seen-lines.ts";
import type { CommandContext } from "../run-command.ts";
import type { Truths } from "./predict-rows.ts";

const { KIND_UNSPECIFIED } = commonV1.GroupRule_Kind;

/** Prints how good predictions are; that nothing can be measured is told, and that the model has seen some of the slides. `speaker`: whose they are, where several models speak. */
export function showMetrics(
  { output }: CommandContext,
  model: gatewayV1.Model,
  outcomes: readonly BagOutcome[],
  truths: Truths,
  speaker?: string,
): void {
  const { task } = model;
  if (task === undefined) {
    output.note("no metrics: the model has no task");
    return;
  }
  const slides = outcomes.map((outcome) => {
    const truth = truths.get(outcome.bag.name);
    const prediction = outcome.kind === "prediction" ? outcome.response.prediction : undefined;
    return {
      patient: truth?.patient ?? (outcome.bag.info?.patientId || outcome.bag.name),
      ...(truth === undefined ? {} : { truth }),
      ...(prediction === undefined ? {} : { prediction }),
    };
  });
  const said = slides.flatMap(({ truth, prediction }) => (truth && prediction ? [prediction] : []));
  const seen = countSeenOf(said);
  const isTogether = outcomes.some((each) => each.kind === "prediction" && each.response.rule !== KIND_UNSPECIFIED);
  const wording = { noun: isTogether ? "case" : "slide", ...(speaker === ENSEMBLE && { whose: "one of its models" }) };
  const remarks = said.length === 0 ? [] : figureLines(seen, wording);
  for (const remark of remarks) output.note(speaker === undefined ? remark : `${speaker}: ${remark}`);
  try {
    for (const { name, metrics, nCases, nPatients } of measurePredictions(task, slides)) {
      const weighed = metrics.unoCIndex === undefined ? {} : { censoring: "evaluated" };
      const counts = { cases: nCases, patients: nPatients, ...weighed };
      const whose = speaker === undefined ? {} : { model: speaker };
      output.record({ ...whose, ...(name === undefined ? {} : { number: name }), metrics, ...counts, seen });
      showReportMetrics(output, { metrics, nCases, nPatients }, name ?? (speaker === ENSEMBLE ? ENSEMBLE : undefined));
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    output.note(`no metrics: ${describeError(error).message}`);
  }
}
