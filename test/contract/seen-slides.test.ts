import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchResponse, readResult, startBatch } from "../lib/batches.ts";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";
import { encodeTorchFile } from "../lib/torch-file.ts";

const { PART_TEST, PART_TRAIN, PART_VALIDATION } = commonV1.Part;
const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;
const { PATIENT_RULE_MAX } = gatewayV1.BatchPredictRequest_PatientRule;
const { ROTARY_NONE } = commonV1.RoformerReembedder_Rotary;

/** Of 16 slides: 8 train, 4 validate, 2 test; 2 no training is shown. */
const PARTS = [
  ...new Array<commonV1.Part>(8).fill(PART_TRAIN),
  ...new Array<commonV1.Part>(4).fill(PART_VALIDATION),
  ...[PART_TEST, PART_TEST],
];
const WORDS = [
  ...new Array<string>(8).fill("training"),
  ...new Array<string>(4).fill("validation"),
  ...new Array<string>(4).fill("neither"),
];
const SEEN_OF_WORD = new Map([
  ["training", SEEN_TRAINING],
  ["validation", SEEN_VALIDATION],
  ["neither", SEEN_NEITHER],
]);
const SEEN = WORDS.map((word) => SEEN_OF_WORD.get(word));

const REEMBEDDER = { kind: { $case: "roformer", value: { width: 8, heads: 2, rotary: ROTARY_NONE } } } as const;

describe("which slides a model's training had", () => {
  const slides = plantCohort(16);
  let services: Services;
  let names: string[];
  let renamed: string[];
  let plain: gatewayV1.Model;
  let staged: gatewayV1.Model;
  let imported: gatewayV1.Model;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-seen-"));
    const root = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-import-"))).href;
    await writeFile(new URL(`${root}/dsmil.pt`), encodeTorchFile(dsmil()));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href, PARFOCAL_IMPORT_ROOTS: root });
    names = await uploadCohort(services.clients, slides);
    // The same files under other names, which makes other bags of them.
    renamed = await uploadCohort(
      services.clients,
      slides.map((slide, i) => ({ ...slide, fileName: `renamed-${i}.npy` })),
    );
    plain = await train("plain", {});
    staged = await train("staged", { architecture: { reembedder: REEMBEDDER } });
    const { models } = services.clients;
    const task = { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["normal", "tumour"] };
    const request = { parent: PARENT, modelId: "dsmil", uri: `${root}/dsmil.pt`, task, settings: { decision: "mean" } };
    imported = await trainedModel(services.clients, await models.importModel(request));
  });
  afterAll(() => services?.close());

  async function train(
    modelId: string,
    change: Parameters<typeof commonV1.TrainingSpec.fromPartial>[0],
    { startFrom = "", bags = names, parts = PARTS }: Partial<Shown> = {},
  ): Promise<gatewayV1.Model> {
    const request = trainRequest(slides, bags, { modelId, epochs: 1 });
    const architecture = { ...request.spec?.architecture, ...change.architecture };
    const spec = commonV1.TrainingSpec.fromPartial({ ...request.spec, ...change, architecture });
    const shown = request.bags.slice(0, parts.length).map((bag, i) => ({ ...bag, part: parts[i]! }));
    const operation = await services.clients.training.train({ ...request, bags: shown, spec, startFrom });
    return trainedModel(services.clients, operation);
  }

  const seenBy = async ({ name: model }: gatewayV1.Model, bag: string, moreBags: string[] = []) =>
    (await services.clients.prediction.predict({ model, bag, moreBags })).prediction?.seen;

  it.each([
    ["without a re-embedder", () => plain],
    ["with one", () => staged],
  ])("is told by Predict %s, of the bags and of others of the same files", async (_name, modelOf) => {
    expect(renamed.filter((name) => names.includes(name))).toEqual([]);
    for (const bags of [names, renamed])
      expect(await Promise.all(bags.map((bag) => seenBy(modelOf(), bag)))).toEqual(SEEN);
    // What was re-embedded before says the same.
    expect(await seenBy(modelOf(), names[0]!)).toBe(SEEN_TRAINING);
    const attended = { model: modelOf().name, bag: names[8]!, includeAttention: true };
    expect((await services.clients.prediction.predict(attended)).prediction?.seen).toBe(SEEN_VALIDATION);
    const { bag } = await upload(services.clients, "other.npy", plantCohort(1, 9n)[0]!.bytes);
    expect(await seenBy(modelOf(), bag.name)).toBe(SEEN_NEITHER);
  });

  it("is not known of an imported model", async () => {
    expect(await seenBy(imported, names[0]!)).toBe(SEEN_UNSPECIFIED);
  });

  it.each([commonV1.GroupRule_Kind.KIND_MEAN, commonV1.GroupRule_Kind.KIND_JOINED])(
    "is of several slides together the worst, by rule %i",
    async (kind) => {
      const model = await train(`groups-${kind}`, { groups: { kind }, architecture: { reembedder: REEMBEDDER } });
      const [trained, validated, tested, untouched] = [0, 8, 12, 14].map((i) => names[i]!) as [
        string,
        string,
        string,
        string,
      ];
      expect(await seenBy(model, tested, [untouched])).toBe(SEEN_NEITHER);
      expect(await seenBy(model, tested, [validated, untouched])).toBe(SEEN_VALIDATION);
      expect(await seenBy(model, tested, [validated, trained])).toBe(SEEN_TRAINING);
    },
  );

  it.each([false, true])("is a column of a batch's tables; transient: %s", async (transient) => {
    const manifest = `bag,patient_id\n${names.map((name, i) => `${name},${i % 8}`).join("\n")}\n`;
    const models = [plain, staged, imported].map(({ name }) => name);
    const request = { models, transient, patientRule: PATIENT_RULE_MAX };
    const operation = await startBatch(services.clients, manifest, request);
    await batchResponse(services.clients, operation);
    for (const ending of ["csv", "jsonl"]) {
      const rows = await readResult(services.clients, operation.name, `predictions.${ending}`);
      const of = (model: gatewayV1.Model) => rows.filter((row) => row.model === model.name).map(({ seen }) => seen);
      expect(of(plain)).toEqual(WORDS);
      expect(of(staged)).toEqual(WORDS);
      expect(new Set(of(imported).map((seen) => seen ?? ""))).toEqual(new Set([""]));
      const patients = await readResult(services.clients, operation.name, `patients.${ending}`);
      // Each patient has a slide that trained.
      const ofPatients = patients.filter(({ model }) => model === staged.name).map(({ seen }) => seen);
      expect(ofPatients).toEqual(new Array(8).fill("training"));
    }
  });

  it("is counted by CompareModels for each model", async () => {
    const labelledBags = slides.map(({ label, patient }, i) =>
      gatewayV1.LabelledBag.fromPartial({ bag: names[i]!, labels: [label], patientId: patient }),
    );
    const request = { names: [plain, staged, imported].map(({ name }) => name), bags: [], labelledBags };
    const { evaluations } = await services.clients.models.compareModels(request);
    const known = { trainingCount: 8, validationCount: 4, neitherCount: 4, unknownCount: 0 };
    const unknown = { trainingCount: 0, validationCount: 0, neitherCount: 0, unknownCount: 16 };
    expect(evaluations.map(({ seen }) => seen)).toEqual([known, known, unknown]);
    const unseen = await services.clients.models.compareModels({ ...request, labelledBags: labelledBags.slice(12) });
    expect(unseen.evaluations[1]?.seen).toEqual({ ...known, trainingCount: 0, validationCount: 0 });
  });

  it("goes with what starts from the model, which is not tested on it", async () => {
    const reembedder = { architecture: { reembedder: REEMBEDDER } };
    const start = { startFrom: staged.name };
    await expect(train("leaky", reembedder, { ...start, parts: PARTS.toReversed() })).rejects.toThrow(
      /2 of 2 test bags were in the training of the model to start from \(2 trained, 0 validated; rows 0, 1\)/u,
    );
    const backwards = [...PARTS.slice(8, 12), ...PARTS.slice(0, 8), ...PARTS.slice(12)];
    const tuned = await train("tuned", reembedder, { ...start, parts: backwards });
    // The first four validate now, and have trained before.
    expect(await Promise.all(names.map((bag) => seenBy(tuned, bag)))).toEqual([
      ...new Array<commonV1.Prediction_Seen>(12).fill(SEEN_TRAINING),
      ...new Array<commonV1.Prediction_Seen>(4).fill(SEEN_NEITHER),
    ]);
  });
});

/** What a training is shown. */
interface Shown {
  readonly startFrom: string;
  readonly bags: readonly string[];
  readonly parts: readonly commonV1.Part[];
}

function dsmil() {
  const d = PLANTED_DIM;
  const shapes: Readonly<Record<string, readonly number[]>> = {
    "i_classifier.fc.0.weight": [1, d],
    "i_classifier.fc.0.bias": [1],
    "b_classifier.q.0.weight": [8, d],
    "b_classifier.q.0.bias": [8],
    "b_classifier.q.2.weight": [8, 8],
    "b_classifier.q.2.bias": [8],
    "b_classifier.fcc.weight": [1, 1, d],
    "b_classifier.fcc.bias": [1],
  };
  return new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      return [name, { shape, values: Float32Array.from({ length: size }, (_, k) => Math.sin(k + size)) }];
    }),
  );
}
