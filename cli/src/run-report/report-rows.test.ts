import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { CrossValidation } from "../experiment/cross-validate.ts";
import type { Experiment } from "../experiment/experiment.ts";
import type { PreparedExperiment } from "../experiment/prepare-experiment.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import { crossReport } from "./cross-report.ts";
import { reportRows } from "./report-rows.ts";
import { type FinishedRun, runReport } from "./run-report.ts";

const BINARY = commonV1.Task.fromJSON({ kind: "KIND_BINARY", classes: ["a", "b"] });

const assigned = (slide: string, patient: string, part: AssignedRow["part"] = "test"): AssignedRow => ({
  row: { line: 2, slide, labels: ["a"], unknownLabels: [] },
  bag: gatewayV1.Bag.fromPartial({ name: `bags/${slide}`, info: { slideId: slide } }),
  part,
  patient,
});

const scored = (of: AssignedRow, fold?: string): ScoredRow => ({
  assigned: of,
  row: {
    ...{ slide: `${of.row.slide} and 1 more`, decision: "a", probabilities: null, model: "tumour" },
    ...(fold === undefined ? {} : { fold }),
  },
  prediction: commonV1.Prediction.fromPartial({
    probabilities: ["a", "b"].map((label) => ({ label, probability: 0.5, threshold: 0.25 })),
  }),
});

const EXPERIMENT: Experiment = {
  ...{ name: "tumour", data: { labels: "labels.csv", files: [] }, folds: 2, repeats: 2, model: {} },
  ...{ sections: { groups: { kind: "joined" } }, seeds: [1n], heatmaps: 0, output: "out" },
};
const PREPARED: PreparedExperiment = {
  ...{ experiment: EXPERIMENT, matched: [], task: BINARY, configSha256: "c", dataSha256: "d" },
  specFor: () => commonV1.TrainingSpec.fromPartial({}),
};

describe("rows of a report", () => {
  it("have the threshold of each label, in tasks of several", () => {
    const rows = [scored(assigned("s1", "p1"))];
    expect(reportRows(rows, { kind: commonV1.Task_Kind.KIND_MULTILABEL })[0]?.thresholds).toEqual({ a: 0.25, b: 0.25 });
    expect(reportRows(rows, BINARY)[0]).not.toHaveProperty("thresholds");
  });

  it("have all slides that were decided together, and the report counts both", () => {
    const rows = [assigned("s1", "p1"), assigned("s2", "p1"), assigned("s3", "p2"), assigned("s4", "p3", "train")];
    const run: FinishedRun = {
      ...{ prepared: PREPARED, seed: 1n, rows, model: gatewayV1.Model.fromPartial({}), outcome: {}, heatmaps: [] },
      ...{ scored: [scored(assigned("s1", "p1")), scored(assigned("s3", "p2"))], generatedAt: "now" },
    };
    const { predictions, summary, evaluatedOn } = runReport(run);
    expect(predictions[0]).toMatchObject({ slide: "s1", slides: ["s1", "s2"] });
    expect(predictions[1]).not.toHaveProperty("slides");
    expect(evaluatedOn).toBe("2 held-out cases of 3 slides");
    expect(summary).toContain("joined: decided by all their tiles as one bag");
  });
});

describe("the report of a cross-validation in repeats", () => {
  const folds = [1, 2].flatMap((repeat) =>
    [1, 2].map((fold) => ({ ...{ repeat, fold, trainCount: 2 }, model: `models/m/versions/r${repeat}-f${fold}` })),
  );
  const repeats = [1, 2].map((repeat) => [1, 2].map((fold) => scored(assigned(`s${fold}`, "p1"), `${repeat}.${fold}`)));
  const response = gatewayV1.CrossValidateResponse.fromPartial({
    folds,
    pooled: [{ slideCount: 1 }, { slideCount: 1 }],
  });
  const report = gatewayV1.CrossValidationReport.fromPartial({});
  const validation: CrossValidation = { operation: "o", response, report, repeats };
  const data = crossReport({ prepared: PREPARED, validation, outcome: {}, seed: 1n, generatedAt: "now" });

  it("names the model of each prediction where it was kept", () => {
    expect(data.predictions.map(({ model }) => model)).toEqual(
      ["r1-f1", "r1-f2", "r2-f1", "r2-f2"].map((id) => `models/m/versions/${id}`),
    );
  });

  it("says where folds come from", () => {
    const splitOf = (prepared: PreparedExperiment) =>
      crossReport({ prepared, validation, outcome: {}, seed: 1n, generatedAt: "now" }).data.facts[0]?.value;
    expect(splitOf(PREPARED)).toBe("by patient, stratified by label, seed 1");
    const fixedFolds = { count: 2, testedBy: [1, 2], notes: [] };
    expect(splitOf({ ...PREPARED, fixedFolds })).toBe("folds as the tables have them");
  });

  it("judges the first repeat alone, of slides where each was decided by itself", () => {
    expect(data.judged?.map(({ fold }) => fold)).toEqual(["1.1", "1.2"]);
    expect(data.evaluatedOn).toBe("2 slides by models that had not seen them");
    expect(data.folds?.pooled.map(({ name }) => name)).toEqual(["All slides, repeat 1", "All slides, repeat 2"]);
  });

  it("shows what was decided of patients, and says that these are counted", () => {
    const decided = repeats.map((own) =>
      own.slice(0, 1).map((each) => ({ ...each, row: { ...each.row, slide: "s1", slides: ["s1", "s2"] } })),
    );
    const grouped = { ...validation, decided };
    const of = crossReport({ prepared: PREPARED, validation: grouped, outcome: {}, seed: 1n, generatedAt: "now" });
    expect(of.predictions.map(({ slides }) => slides)).toEqual([
      ["s1", "s2"],
      ["s1", "s2"],
    ]);
    expect(of.evaluatedOn).toBe("1 patient of 2 slides by models that had not seen them");
    expect(of.summary).toContain("Figures and curves are of all patients together");
    expect(of.summary).toContain("Decided once: every patient, 1 patient of 2 slides.");
    expect(of.folds).toMatchObject({ unit: "patient", rows: [{ nTest: 1 }, { nTest: 0 }, { nTest: 1 }, { nTest: 0 }] });
    expect(of.folds?.pooled[0]?.name).toBe("All patients, repeat 1");
  });
});
