import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readResult } from "../lib/batches.ts";
import { plantCohort } from "../lib/cohort.ts";
import { trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const { KIND_JOINED, KIND_MAX, KIND_MEAN, KIND_MIN_LOSS, KIND_UNSPECIFIED } = commonV1.GroupRule_Kind;

// Twelve patients with two slides each, decided together.
const slides = plantCohort(24);
let services: Services;
let names: string[];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-groups-"));
  services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
  names = await uploadCohort(services.clients, slides);
});
afterAll(async () => {
  await services?.close();
  await rm(folder, { recursive: true, force: true });
});

async function crossValidated(keepAs: string, kind?: commonV1.GroupRule_Kind) {
  const { clients } = services;
  const { parent, bags, spec } = trainRequest(slides, names, { epochs: 3 });
  if (spec !== undefined && kind !== undefined) spec.groups = commonV1.GroupRule.fromPartial({ kind });
  const request = gatewayV1.CrossValidateRequest.fromPartial({ parent, bags, spec, folds: 3, keepAs });
  const { name } = await clients.training.crossValidate(request);
  const { result } = await clients.operations.waitOperation({ name }, { timeoutMs: 240_000 });
  if (result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(result)}`);
  return { name, response: gatewayV1.CrossValidateResponse.decode(result.value.value) };
}

const figureOf = (evaluation: commonV1.Evaluation | undefined, name: string) =>
  evaluation?.metrics.find((metric) => metric.name === name)?.value;

describe("a cross-validation with a rule for groups", () => {
  it.each([
    ["joined", KIND_JOINED],
    ["mean", KIND_MEAN],
    ["max", KIND_MAX],
    ["min-loss", KIND_MIN_LOSS],
  ])("decides every patient once, as Predict does: %s", async (word, kind) => {
    const { clients } = services;
    const { name, response } = await crossValidated(`by-${word}`, kind);
    expect([response.rule, response.decisions?.rowCount, response.predictions?.rowCount]).toEqual([kind, 12n, 24n]);
    const decisions = await readResult(clients, name, "decisions.csv");
    expect(await readResult(clients, name, "decisions.jsonl")).toEqual(decisions);
    expect(new Set(decisions.map(({ patient }) => patient)).size).toBe(12);
    for (const { fold, bags = "", slides: count, patient, ...said } of decisions) {
      const [bag = "", ...moreBags] = bags.split(";");
      expect([count, moreBags.length]).toEqual(["2", 1]);
      expect(slides[names.indexOf(bag)]?.patient).toBe(patient);
      const { model = "" } = response.folds[Number(fold) - 1] ?? {};
      const { prediction } = await clients.prediction.predict({ model, bag, moreBags });
      expect(Number(said.probability_tumour)).toBeCloseTo(prediction?.probabilities[1]?.probability ?? Number.NaN, 6);
      expect(said.decision).toBe(prediction?.decision[0]);
    }
    // The figures are those of the very lines of the table.
    const shareOf = (own: typeof decisions) =>
      own.filter(({ truth, decision }) => truth === decision).length / own.length;
    const [pooled] = response.pooled;
    expect(pooled).toMatchObject({ slideCount: 12, patientCount: 12 });
    expect(figureOf(pooled, "accuracy")).toBeCloseTo(shareOf(decisions), 12);
    for (const { fold, test } of response.folds) {
      const own = decisions.filter((line) => line.fold === String(fold));
      expect([test?.slideCount, test?.patientCount]).toEqual([2 * own.length, own.length]);
      expect(figureOf(test, "accuracy")).toBeCloseTo(shareOf(own), 12);
    }
  });

  it("has no decisions but those of slides where there is no rule", async () => {
    const { name, response } = await crossValidated("");
    expect([response.rule, response.decisions]).toEqual([KIND_UNSPECIFIED, undefined]);
    expect(response.pooled[0]).toMatchObject({ slideCount: 24, patientCount: 12 });
    await expect(readResult(services.clients, name, "decisions.csv")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
