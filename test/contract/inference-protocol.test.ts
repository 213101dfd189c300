import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1, inferenceV2 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import {
  bagInput,
  bytesOf,
  createInferenceClient,
  floatsOf,
  rawInput,
  testTiles,
  tilesFile,
} from "../lib/inference-requests.ts";
import { PARENT, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const tiles = testTiles(40, PLANTED_DIM);
const FEATURES = rawInput("features", "FP32", [tiles.n, tiles.d]);
const COORDS = rawInput("coords", "INT32", [tiles.n, 2]);

describe("the Open Inference Protocol on the gateway", () => {
  const slides = plantCohort(16);
  let names: string[];
  let services: Services;
  let client: ReturnType<typeof createInferenceClient>;
  let store: string;
  let roots: string;
  let bag: string;
  let other: string;

  beforeAll(async () => {
    [store, roots] = await Promise.all([
      mkdtemp(join(tmpdir(), "parfocal-oip-")),
      mkdtemp(join(tmpdir(), "parfocal-roots-")),
    ]);
    services = await startServices({
      PARFOCAL_STORE: pathToFileURL(store).href,
      PARFOCAL_INFERENCE_PROJECT: "test",
      PARFOCAL_IMPORT_ROOTS: pathToFileURL(roots).href,
    });
    client = createInferenceClient(services.clients.channel);
    const { clients } = services;
    names = await uploadCohort(clients, slides);
    other = names[0]!;
    bag = (await upload(clients, "tiles.safetensors", tilesFile(tiles))).bag.name;
    const plain = trainRequest(slides, names, { epochs: 1 });
    await trainedModel(clients, await clients.training.train(plain));
    const reembedder = { kind: { $case: "r2t" as const, value: { stemWidth: 16, heads: 2, crmsaHeads: 2 } } };
    const request = trainRequest(slides, names, { epochs: 1, modelId: "r2t" });
    const architecture = { ...request.spec!.architecture!, reembedder };
    const spec = { ...request.spec!, architecture } as NonNullable<typeof request.spec>;
    await trainedModel(clients, await clients.training.train({ ...request, spec }));
  });
  afterAll(async () => {
    await services?.close();
  });

  const inline = {
    modelName: "tumour",
    inputs: [FEATURES, COORDS],
    rawInputContents: [bytesOf(tiles.features), bytesOf(tiles.coords)],
  };
  const infer = (change: Parameters<typeof client.modelInfer>[0]) => client.modelInfer({ ...inline, ...change });
  const predicted = async (model: string) => {
    const { prediction } = await services.clients.prediction.predict({ model: `${PARENT}/models/${model}`, bag });
    return prediction!;
  };

  it("lives, is ready and says what it is", async () => {
    expect(await client.serverLive({})).toEqual({ live: true });
    expect(await client.serverReady({})).toEqual({ ready: true });
    expect(await client.serverMetadata({})).toEqual({ name: "parfocal", version: "0.1.0", extensions: [] });
  });

  it("tells which models are ready and what they take and give", async () => {
    expect(await client.modelReady({ name: "tumour" })).toEqual({ ready: true });
    expect(await client.modelReady({ name: `${PARENT}/models/tumour/aliases/latest` })).toEqual({ ready: true });
    expect(await client.modelReady({ name: "none" })).toEqual({ ready: false });
    expect(await client.modelReady({ name: "tumour", version: "1" })).toEqual({ ready: false });
    const metadata = await client.modelMetadata({ name: "tumour" });
    const { model } = await services.clients.models.getModel({ name: `${PARENT}/models/tumour` });
    expect(metadata.versions.map((id) => `${PARENT}/models/tumour/versions/${id}`)).toEqual([model?.name]);
    expect(metadata.inputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ["features", "FP32", [-1n, 16n]],
      ["coords", "INT32", [-1n, 2n]],
      ["bag", "BYTES", [1n]],
    ]);
    expect(metadata.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["probabilities", [2n]],
      ["labels", [2n]],
      ["decision", [-1n]],
      ["attention", [-1n, -1n]],
      ["coordinates", [-1n, 2n]],
    ]);
  });

  it.each(["tumour", "r2t"])(
    "gives the numbers of Predict for a bag of the catalog and the same tiles inline (%s)",
    async (modelName) => {
      const { probabilities, decision } = await predicted(modelName);
      const wanted = probabilities.map(({ probability }) => Math.fround(probability));
      const named = await client.modelInfer({ modelName, id: "42", inputs: [bagInput(bag)] });
      expect(floatsOf(named, "probabilities")).toEqual(wanted);
      expect(named.id).toBe("42");
      expect(named.rawOutputContents).toEqual([]);
      expect(named.outputs[1]?.contents?.bytesContents.map(String)).toEqual(["normal", "tumour"]);
      expect(named.outputs[2]?.contents?.bytesContents.map(String)).toEqual(decision);
      const sent = await infer({ modelName });
      expect(sent.outputs.map(({ name, contents }) => [name, contents])).toEqual([
        ["probabilities", undefined],
        ["labels", undefined],
        ["decision", undefined],
      ]);
      for (const [k, probability] of floatsOf(sent, "probabilities").entries())
        expect(probability).toBeCloseTo(wanted[k]!, 6);
      expect(String(sent.rawOutputContents[1])).toBe("\x06\0\0\0normal\x06\0\0\0tumour");
    },
  );

  it("reads features typed, halved and with a batch axis of one", async () => {
    const wanted = (await predicted("tumour")).probabilities.map(({ probability }) => probability);
    const { n, d, features } = tiles;
    const typed = {
      ...FEATURES,
      contents: inferenceV2.InferTensorContents.fromPartial({ fp32Contents: [...features] }),
    };
    const halves = bytesOf(Float16Array.from(features));
    const answers = [
      await infer({ inputs: [typed], rawInputContents: [] }),
      await infer({ inputs: [rawInput("features", "FP16", [n, d])], rawInputContents: [halves] }),
      await infer({ inputs: [rawInput("features", "FP32", [1, n, d])], rawInputContents: [bytesOf(features)] }),
    ];
    const [asTyped, asHalves, asBatch] = answers.map((answer) => floatsOf(answer, "probabilities"));
    for (const [k, probability] of wanted.entries()) {
      expect(asTyped![k]).toBeCloseTo(probability, 6);
      expect(asBatch![k]).toBeCloseTo(probability, 6);
      // Half precision keeps eleven bits of each feature.
      expect(asHalves![k]).toBeCloseTo(probability, 2);
    }
  });

  it("gives the weights and places of the tiles to who asks for them", async () => {
    const answer = await infer({ outputs: [{ name: "coordinates" }, { name: "attention" }] });
    expect(answer.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["coordinates", [40n, 2n]],
      ["attention", [40n, 1n]],
    ]);
    expect(floatsOf(answer, "coordinates")).toEqual([...tiles.coords]);
    expect(floatsOf(answer, "attention").reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    const placeless = infer({
      ...{ inputs: [FEATURES], rawInputContents: [bytesOf(tiles.features)] },
      outputs: [{ name: "coordinates" }],
    });
    await expect(placeless).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });

  it("gives numbers and risks as their tasks have them", async () => {
    const { KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
    const request = trainRequest(slides, names, { epochs: 1 });
    const train = async (modelId: string, task: Partial<commonV1.Task>, labelOf: (i: number) => object) => {
      const spec = { ...request.spec!, task: commonV1.Task.fromPartial(task) };
      const bags = request.bags.map(({ bag: name, patientId }, i) => ({ bag: name, patientId, ...labelOf(i) }));
      const message = gatewayV1.TrainRequest.fromPartial({ ...request, modelId, spec, bags });
      await trainedModel(services.clients, await services.clients.training.train(message));
    };
    const ask = async (modelName: string) => {
      const { outputs } = await client.modelMetadata({ name: modelName });
      const answer = await client.modelInfer({ modelName, inputs: [bagInput(bag)] });
      const asked = ["attention", "coordinates"];
      expect(outputs.map(({ name }) => name)).toEqual([...answer.outputs.map(({ name }) => name), ...asked]);
      return { prediction: await predicted(modelName), numbers: (name: string) => floatsOf(answer, name) };
    };
    await train("size", { kind: KIND_REGRESSION, classes: ["mm"] }, (i) => ({ values: { mm: i } }));
    const size = await ask("size");
    expect(size.numbers("values")).toEqual(size.prediction.values.map(({ value }) => Math.fround(value)));
    await train("death", { kind: KIND_SURVIVAL }, (i) => ({ survival: { time: 1 + i, event: i % 3 !== 0 } }));
    const death = await ask("death");
    const { risk, curve } = death.prediction.survival!;
    expect(curve.length).toBeGreaterThan(1);
    expect(death.numbers("risk")).toEqual([Math.fround(risk)]);
    expect(death.numbers("survival")).toEqual(curve.map(({ survival }) => Math.fround(survival)));
    expect(death.numbers("time")).toEqual(curve.map(({ time }) => Math.fround(time)));
    const other = client.modelInfer({ modelName: "death", inputs: [bagInput(bag)], outputs: [{ name: "decision" }] });
    await expect(other).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("reads files below the import roots, and no others", async () => {
    await writeFile(join(roots, "slide.safetensors"), tilesFile(tiles));
    const uri = `${pathToFileURL(roots).href}/slide.safetensors`;
    const answer = await client.modelInfer({ modelName: "tumour", inputs: [bagInput(uri)] });
    const [first] = (await predicted("tumour")).probabilities;
    expect(floatsOf(answer, "probabilities")[0]).toBeCloseTo(first!.probability, 6);
    for (const refused of ["file:///etc/passwd", `${pathToFileURL(roots).href}/../x.npy`, "s3://bucket/bag.h5"]) {
      await expect(client.modelInfer({ modelName: "tumour", inputs: [bagInput(refused)] })).rejects.toMatchObject({
        code: "FORBIDDEN",
      });
    }
  });

  it("leaves nothing of inline bags behind, whether they were answered or refused", async () => {
    const before = await services.clients.bags.listBags({ parent: PARENT });
    await infer({ modelName: "r2t" });
    const poison = Float32Array.from(tiles.features).fill(Number.NaN, 3, 4);
    await expect(infer({ inputs: [FEATURES], rawInputContents: [bytesOf(poison)] })).rejects.toMatchObject({
      code: "NON_FINITE",
    });
    const after = await services.clients.bags.listBags({ parent: PARENT });
    expect(after.bags).toEqual(before.bags);
    const left = await readdir(join(store, "uploads"), { recursive: true, withFileTypes: true }).catch(() => []);
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
  });

  it("says what is wrong with a request", async () => {
    const contents = inferenceV2.InferTensorContents.fromPartial({ fp32Contents: [1] });
    const raw = inline.rawInputContents;
    const wrong: readonly (readonly [
      change: Parameters<typeof client.modelInfer>[0],
      code: string,
      message: RegExp,
    ])[] = [
      [{ modelName: "none" }, "NOT_FOUND", /no such model/],
      [{ modelVersion: "1" }, "NOT_FOUND", /version 1/],
      [{ modelName: "../up" }, "INVALID_ARGUMENT", /model_name/],
      [{ modelVersion: "a/b" }, "INVALID_ARGUMENT", /model_version of 3 characters/],
      [
        { modelName: `${PARENT}/models/tumour/aliases/latest`, modelVersion: "1" },
        "INVALID_ARGUMENT",
        /names a version or alias already/,
      ],
      [{ inputs: [], rawInputContents: [] }, "INVALID_ARGUMENT", /neither features nor bag/],
      [{ rawInputContents: raw.slice(1) }, "INVALID_ARGUMENT", /1 entries for 2 inputs/],
      [{ inputs: [FEATURES, FEATURES] }, "INVALID_ARGUMENT", /a second time/],
      [{ inputs: [{ ...FEATURES, name: "input_1" }, COORDS] }, "INVALID_ARGUMENT", /none of features, coords, bag/],
      [{ inputs: [{ ...FEATURES, contents }, COORDS] }, "INVALID_ARGUMENT", /beside raw_input_contents/],
      [{ inputs: [{ ...FEATURES, datatype: "UINT8" }, COORDS] }, "INVALID_ARGUMENT", /datatype is none of/],
      [{ inputs: [{ ...FEATURES, shape: [-1n, 16n] }, COORDS] }, "INVALID_ARGUMENT", /holds -1/],
      [{ inputs: [{ ...FEATURES, shape: [41n, 16n] }, COORDS] }, "SHAPE_MISMATCH", /needs 2624 bytes, got 2560/],
      [{ inputs: [{ ...FEATURES, shape: [80n, 8n] }, COORDS] }, "SHAPE_MISMATCH", /coords are \[40, 2\]/],
      [
        { inputs: [{ ...FEATURES, shape: [80n, 8n] }], rawInputContents: raw.slice(0, 1) },
        "GEOMETRY_MISMATCH",
        /8.*16|16.*8/,
      ],
      [{ inputs: [{ ...FEATURES, shape: [0n, 16n] }], rawInputContents: [Buffer.alloc(0)] }, "EMPTY_BAG", /no tiles/],
      [
        { inputs: [bagInput(bag), { ...FEATURES, contents }], rawInputContents: [] },
        "INVALID_ARGUMENT",
        /send one of them/,
      ],
      [
        { inputs: [bagInput(other.replace("projects/test", "projects/other"))], rawInputContents: [] },
        "FORBIDDEN",
        /different projects/,
      ],
      [{ inputs: [bagInput("projects/test/bags/x")], rawInputContents: [] }, "INVALID_ARGUMENT", /inputs.bag/],
      [
        { outputs: [{ name: "logits" }] },
        "INVALID_ARGUMENT",
        /none of probabilities, labels, decision, attention, coordinates/,
      ],
      [{ outputs: [{ name: "labels" }, { name: "labels" }] }, "INVALID_ARGUMENT", /one twice/],
      [
        { parameters: { priority: { parameterChoice: { $case: "int64Param", value: 1n } } } },
        "INVALID_ARGUMENT",
        /none of encoder, tile_px/,
      ],
      [
        {
          ...{ inputs: [bagInput(bag)], rawInputContents: [] },
          parameters: { mpp: { parameterChoice: { $case: "doubleParam", value: 0.5 } } },
        },
        "INVALID_ARGUMENT",
        /parameters are given beside a bag of the catalog/,
      ],
      [
        { inputs: [{ ...FEATURES, datatype: "__proto__", contents }], rawInputContents: [] },
        "INVALID_ARGUMENT",
        /datatype is not read from typed contents/,
      ],
      [
        { parameters: { mpp: { parameterChoice: { $case: "stringParam", value: "x" } } } },
        "INVALID_ARGUMENT",
        /is no number/,
      ],
    ];
    for (const [change, code, message] of wrong) {
      const answer = infer(change).then(
        (response) => ({ code: "none", message: JSON.stringify(response.outputs.length) }),
        (error: unknown) => error,
      );
      expect.soft(await answer).toMatchObject({ code, message: expect.stringMatching(message) as string });
    }
    expect(await client.serverLive({})).toEqual({ live: true });
  });
});
