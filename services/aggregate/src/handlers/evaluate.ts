import { DomainError } from "@parfocal/errors";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { packageFromWire } from "@parfocal/stage";
import {
  decide,
  decidingGraph,
  evaluateModel,
  type ModelEvaluation,
  partMetricsFromReport,
  patientsOf,
} from "@parfocal/training";
import { certaintyMetrics } from "../certainty-metrics.ts";
import type { AggregateDeps } from "../deps.ts";
import { evaluationFromMetrics } from "../evaluation-to-wire.ts";
import { countSeen } from "../seen-to-wire.ts";
import { labelledBagFromWire, predictionToWire } from "../wire.ts";

const MAX_BAGS = 100_000;

const { CENSORING_TRAINING } = commonV1.Evaluation_Censoring;

/** `Evaluate`: scores labelled bags with the thresholds frozen in the model. */
export function createEvaluate({ store, engine, models }: AggregateDeps) {
  return async (
    request: aggregateV1.EvaluateRequest,
    { signal }: HandlerContext,
  ): Promise<aggregateV1.EvaluateResponse> => {
    if (request.bags.length < 1 || request.bags.length > MAX_BAGS) {
      throw new DomainError("INVALID_ARGUMENT", `bags has ${request.bags.length} entries; it is 1 to ${MAX_BAGS}`, {
        details: { field: "bags" },
      });
    }
    const { folder, digest } = packageFromWire(store, request.model);
    const loaded = await models.get(folder, digest, { signal });
    // Before labels, of which a model that decides nothing knows none.
    decidingGraph(loaded);
    const { task } = loaded.model.config;
    const { thresholds } = loaded.manifest;
    const bags = request.bags.map((bag, index) => labelledBagFromWire(store, task, bag, index));
    const patients = patientsOf(bags);
    const cases = bags.map(({ bag, label, group }, index) => {
      return { bag, label, patient: patients[index] ?? "", ...(group !== undefined && { group }) };
    });
    const deps = { engine, store, nowMs: () => performance.now() };
    const censoring = request.censoring === CENSORING_TRAINING ? "training" : "evaluated";
    const evaluated = await evaluateModel(deps, loaded, cases, signal, censoring);
    const toWire = (score: ModelEvaluation["scores"][number]) =>
      predictionToWire(loaded, { ...score, decision: decide(task, score.answer, thresholds), thresholds, engineMs: 0 });
    const counted = evaluated.cases.map((each) => ({ bags: [...each.bags], prediction: toWire(each) }));
    const certain = counted.flatMap(({ bags: [place = -1], prediction }) => {
      const known = cases[place];
      return known === undefined ? [] : [{ ...known, prediction }];
    });
    const evaluation = evaluationFromMetrics(partMetricsFromReport(evaluated.report));
    const predictions = evaluated.scores.map(toWire);
    const metrics = [...evaluation.metrics, ...certaintyMetrics(task, certain)];
    return {
      evaluation: { ...evaluation, metrics, seen: countSeen(predictions) },
      predictions,
      cases: counted,
    };
  };
}
