import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GRADES, type GradedSlide, plantGrades } from "../lib/graded-cohort.ts";
import { PARENT, trainedModel, upload } from "../lib/requests.ts";
import { type RunningServices, startServices } from "../lib/services.ts";

const { KIND_COX, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
const { KIND_MEAN } = commonV1.GroupRule_Kind;

const slides = plantGrades(160);
let services: RunningServices;
const names: string[] = [];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
  services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
  for (const { fileName, bytes } of slides) names.push((await upload(services.clients, fileName, bytes)).bag.name);
});
afterAll(async () => {
  await services?.close();
});

type Label = Partial<Pick<gatewayV1.LabelledBag, "labels" | "values" | "survival">>;

/** Trains a small attention pooling on the cohort and gives the model. */
async function trained(
  modelId: string,
  task: Partial<commonV1.Task>,
  labelOf: (slide: GradedSlide) => Label,
  spec: Partial<commonV1.TrainingSpec> = {},
): Promise<gatewayV1.Model> {
  const { clients } = services;
  const request = gatewayV1.TrainRequest.fromPartial({
    parent: PARENT,
    modelId,
    bags: slides.map((slide, i) => ({ bag: names[i] ?? "", patientId: slide.patient, ...labelOf(slide) })),
    spec: {
      task,
      architecture: {
        head: {
          trunk: { hidden: [16], dropout: 0.1 },
          kind: { $case: "abmil", value: { attentionWidth: 8, gated: true } },
        },
      },
      recipe: { epochs: 20, optimiser: { kind: commonV1.Optimiser_Kind.KIND_ADAMW, learningRate: 1e-2 }, seed: 5n },
      split: { validationFraction: 0.2, testFraction: 0.25 },
      ...spec,
    },
  });
  return trainedModel(clients, await clients.training.train(request));
}

function figure({ test }: gatewayV1.Model, name: string, label = ""): number | undefined {
  return test?.metrics.find((metric) => metric.name === name && metric.label === label)?.value;
}

async function predicted(model: string, slide: number): Promise<commonV1.Prediction> {
  const answer = await services.clients.prediction.predict({ model: `${PARENT}/models/${model}`, bag: names[slide]! });
  if (answer.prediction === undefined) throw new Error("no prediction");
  return answer.prediction;
}

/** The slides of the lowest and of the highest grade. */
const BY_AGE = [...slides.keys()].sort((a, b) => (slides[a]?.age ?? 0) - (slides[b]?.age ?? 0));
const [LOWEST = 0, HIGHEST = 0] = [BY_AGE[0], BY_AGE.at(-1)];

describe("a model of ordered classes", () => {
  it("grades slides it has not seen, and says how probable each grade is", async () => {
    const model = await trained("grade", { kind: KIND_ORDINAL, classes: GRADES }, ({ grade }) => ({ labels: [grade] }));
    // 0 is chance, 1 is right everywhere; grades are cut out of one scale, so slides near a cut cannot be told apart.
    expect(figure(model, "quadratic_kappa")).toBeGreaterThan(0.8);
    expect(model.history.at(-1)?.scoreName).toBe("quadratic_kappa");
    const high = await predicted("grade", HIGHEST);
    expect(high.decision).toEqual(["high"]);
    expect(high.probabilities.map(({ label }) => label)).toEqual(GRADES);
    expect(high.probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
    expect((await predicted("grade", LOWEST)).decision).toEqual(["low"]);
  });
});

describe("a model of numbers", () => {
  it("answers in the labels' own units, also where some are missing", async () => {
    const model = await trained("age", { kind: KIND_REGRESSION, classes: ["age", "half"] }, ({ age, patient }) => ({
      values: { age, ...(patient.endsWith("3") ? {} : { half: age / 2 }) },
    }));
    expect(figure(model, "r2", "age")).toBeGreaterThan(0.8);
    expect(figure(model, "pearson", "half")).toBeGreaterThan(0.9);
    const { values, decision, probabilities } = await predicted("age", HIGHEST);
    expect([decision, probabilities]).toEqual([[], []]);
    expect(values.map(({ label }) => label)).toEqual(["age", "half"]);
    expect(Math.abs((values[0]?.value ?? 0) - (slides[HIGHEST]?.age ?? 0))).toBeLessThan(8);
    expect(Math.abs((values[1]?.value ?? 0) - (slides[HIGHEST]?.age ?? 0) / 2)).toBeLessThan(4);
  });
});

describe("models of survival", () => {
  const labelOf = ({ survival }: GradedSlide): Label => ({ survival });

  it("give curves over intervals that the training part's events make", async () => {
    const survival = commonV1.SurvivalOptions.fromPartial({ bins: 3 });
    const model = await trained("curve", { kind: KIND_SURVIVAL, survival }, labelOf);
    expect(figure(model, "c_index")).toBeGreaterThan(0.8);
    expect(figure(model, "uno_c_index")).toBeGreaterThan(0.7);
    const [low, high] = [await predicted("curve", LOWEST), await predicted("curve", HIGHEST)];
    const { curve = [], risk = Number.NaN } = high.survival ?? {};
    expect(curve).toHaveLength(3);
    expect(curve.map(({ time }) => time)).toEqual(curve.map(({ time }) => time).toSorted((a, b) => a - b));
    expect(risk).toBeCloseTo(-curve.reduce((sum, { survival: s }) => sum + s, 0), 6);
    expect(curve[1]?.survival).toBeCloseTo((1 - (curve[0]?.hazard ?? 0)) * (1 - (curve[1]?.hazard ?? 0)), 5);
    expect(risk).toBeGreaterThan(low.survival?.risk ?? Number.NaN);
  });

  it("learn by cross entropy, from intervals and censored patients alike, with weights that look ahead", async () => {
    const { LOSS_CROSS_ENTROPY } = commonV1.SurvivalOptions_Loss;
    const survival = commonV1.SurvivalOptions.fromPartial({ bins: 3, alpha: 0.4, loss: LOSS_CROSS_ENTROPY });
    const recipe = commonV1.Recipe.fromPartial({
      epochs: 20,
      optimiser: { kind: commonV1.Optimiser_Kind.KIND_RADAM, learningRate: 1e-2, lookahead: { steps: 5 } },
      sampling: commonV1.Recipe_Sampling.SAMPLING_BALANCED,
      seed: 5n,
    });
    const model = await trained("entropy", { kind: KIND_SURVIVAL, survival }, labelOf, { recipe });
    // 0.5 is chance. Classes that are drawn alike learn from few patients of some.
    expect(figure(model, "c_index")).toBeGreaterThan(0.7);
    expect(model.task?.survival).toMatchObject({ alpha: 0.4, loss: LOSS_CROSS_ENTROPY });
    const [low, high] = [await predicted("entropy", LOWEST), await predicted("entropy", HIGHEST)];
    expect(high.survival?.risk).toBeGreaterThan(low.survival?.risk ?? Number.NaN);
  });

  it("rank patients by Cox's likelihood, slides of a patient together", async () => {
    const groups = { kind: KIND_MEAN, negatives: commonV1.GroupRule_Negatives.NEGATIVES_UNSPECIFIED };
    const model = await trained("risk", { kind: KIND_COX }, labelOf, { groups });
    expect(figure(model, "c_index")).toBeGreaterThan(0.8);
    expect(model.test?.slideCount).toBe(2 * (model.test?.patientCount ?? 0));
    const [low, high] = [await predicted("risk", LOWEST), await predicted("risk", HIGHEST)];
    // The curve of the baseline hazard that was published with the model.
    const { curve = [] } = high.survival ?? {};
    expect(curve.length).toBeGreaterThan(4);
    expect(curve.map(({ time }) => time)).toEqual(curve.map(({ time }) => time).toSorted((a, b) => a - b));
    const middle = Math.floor(curve.length / 2);
    expect(curve[middle]?.survival).toBeLessThan(low.survival?.curve[middle]?.survival ?? 0);
    expect(model.test?.censoring).toBe(commonV1.Evaluation_Censoring.CENSORING_TRAINING);
    expect(high.survival?.risk).toBeGreaterThan(low.survival?.risk ?? Number.NaN);
  });

  it("decide a patient by the mean of the slides, as they were trained", async () => {
    const { prediction } = services.clients;
    const ask = { model: `${PARENT}/models/risk`, bag: names[0]! };
    const both = await prediction.predict({ ...ask, moreBags: [names[1]!] });
    const risks = [await predicted("risk", 0), await predicted("risk", 1)].map((each) => each.survival?.risk ?? 0);
    expect(both.prediction?.survival?.risk).toBeCloseTo(
      risks.reduce((sum, risk) => sum + risk / 2, 0),
      6,
    );
    const wrong = { ...ask, moreBags: [names[0]!] };
    await expect(prediction.predict(wrong)).rejects.toThrow("more_bags[0] names the same bag as bag");
    const drawn = { ...ask, moreBags: [names[1]!], includeAttention: true };
    await expect(prediction.predict(drawn)).rejects.toThrow("attention is of one slide, these are 2");
    const alone = { ...ask, model: `${PARENT}/models/grade`, moreBags: [names[1]!] };
    await expect(prediction.predict(alone)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });

  it("are refused without times, naming the bag, and with one patient per update", async () => {
    const attempt = (spec: Partial<commonV1.TrainingSpec>, label: Label) =>
      trained("wrong", { kind: KIND_COX }, () => label, spec);
    await expect(attempt({}, { labels: ["low"] })).rejects.toThrow(
      "bags[0].survival is missing; a cox task takes time",
    );
    const recipe = commonV1.Recipe.fromPartial({ epochs: 1, batchSize: 1 });
    await expect(attempt({ recipe }, { survival: { time: 1, event: true } })).rejects.toThrow(
      "batchSize is 1; a cox task takes 2 or more patients",
    );
    const sampling = commonV1.Recipe_Sampling.SAMPLING_BALANCED;
    const balanced = { recipe: commonV1.Recipe.fromPartial({ epochs: 1, sampling }) };
    await expect(attempt(balanced, { survival: { time: 1, event: true } })).rejects.toThrow(
      "sampling is balanced; a cox task takes shuffle",
    );
  });
});
