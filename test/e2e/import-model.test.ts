import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { buildModel } from "@parfocal/models";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { trainSpecFromWire } from "@parfocal/service-aggregate";
import { parseTrainSpec } from "@parfocal/training";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeNpy } from "../lib/npy.ts";
import { PARENT, trainedModel, upload } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

const D = 4;

function tensor(shape: readonly number[]) {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, values: Float32Array.from({ length: size }, (_, k) => Math.sin(k + size)) };
}

const CHECKPOINT = new Map([
  ["i_classifier.fc.0.weight", tensor([1, D])],
  ["i_classifier.fc.0.bias", tensor([1])],
  ["b_classifier.q.0.weight", tensor([8, D])],
  ["b_classifier.q.0.bias", tensor([8])],
  ["b_classifier.q.2.weight", tensor([8, 8])],
  ["b_classifier.q.2.bias", tensor([8])],
  ["b_classifier.fcc.weight", tensor([1, 1, D])],
  ["b_classifier.fcc.bias", tensor([1])],
]);

/** Weights, input and logits of the public R2T program. */
const GOLDEN = new URL("../../../shared/goldens/r2t_n300.safetensors", import.meta.url);
const hasGolden = existsSync(GOLDEN);
if (!hasGolden) console.warn("import-model.test.ts skips R2T: ../shared/goldens is not beside the repository");

async function* checkpointPieces(bytes: Uint8Array): AsyncIterable<gatewayV1.UploadCheckpointRequest> {
  yield { piece: { $case: "header", value: { parent: PARENT, sizeBytes: BigInt(bytes.length) } } };
  for (let start = 0; start < bytes.length; start += 1 << 19) {
    yield { piece: { $case: "chunk", value: Buffer.from(bytes.subarray(start, start + (1 << 19))) } };
  }
}

describe("the gateway", () => {
  let services: Services;
  let root: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
    root = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-import-"))).href;
    await writeFile(new URL(`${root}/dsmil.pt`), encodeTorchFile(CHECKPOINT));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href, PARFOCAL_IMPORT_ROOTS: root });
  });
  afterAll(() => services?.close());

  it("imports a public checkpoint as a version that predicts", async () => {
    const { models, prediction } = services.clients;
    const operation = await models.importModel({
      parent: PARENT,
      modelId: "dsmil",
      uri: `${root}/dsmil.pt`,
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["normal", "tumour"] },
      settings: { tile_px: "256", mpp: "0.5", stride: "224", decision: "mean" },
      encoder: "ours",
    });
    const model = await trainedModel(services.clients, operation);
    expect(model).toMatchObject({
      head: "dsmil",
      reembedder: "",
      featureDim: D,
      task: { classes: ["normal", "tumour"] },
      encoder: "ours",
      expects: { encoder: "ours", tilePx: 256, mpp: 0.5, stridePx: 224 },
    });
    const file = encodeNpy([5, D], tensor([5, D]).values);
    const { bag } = await upload(services.clients, "slide.npy", file);
    const answer = await prediction.predict({ model: `${PARENT}/models/dsmil`, bag: bag.name });
    const probabilities = answer.prediction?.probabilities.map(({ probability }) => probability) ?? [];
    expect(probabilities).toHaveLength(2);
    expect((probabilities[0] ?? 0) + (probabilities[1] ?? 0)).toBeCloseTo(1, 6);
  });

  it.skipIf(!hasGolden)(
    "imports an uploaded R2T checkpoint, which both stages predict with as its program does",
    async () => {
      const golden = parseSafetensors(readFileSync(GOLDEN)).tensors;
      const entries = [...golden].map(([name, each]): [string, TorchEntry] => {
        return [name, { shape: each.shape, values: Float32Array.from(float32FromTensor(each)) }];
      });
      const weights = entries.filter(([name]) => name.startsWith("weights."));
      const file = encodeTorchFile(new Map(weights.map(([name, each]) => [name.slice("weights.".length), each])));
      const { models, prediction } = services.clients;
      const { upload: uploaded } = await models.uploadCheckpoint(checkpointPieces(file));
      const operation = await models.importModel({ parent: PARENT, modelId: "r2t", upload: uploaded });
      const model = await trainedModel(services.clients, operation);
      expect(model).toMatchObject({ reembedder: "r2t", head: "abmil", source: { layout: "r2t" } });
      expect(Number(model.parameterCount)).toBe(weights.reduce((sum, [, { values }]) => sum + values.length, 0));

      const tensors = new Map(entries);
      const [input, logits] = ["input", "logits"].map((name) => tensors.get(name) as TorchEntry);
      const { bag } = await upload(services.clients, "r2t.npy", encodeNpy(input!.shape, input!.values));
      const answer = await prediction.predict({ model: `${PARENT}/models/r2t`, bag: bag.name });
      const [first = 0, second = 0] = logits!.values;
      const probabilities = answer.prediction?.probabilities.map(({ probability }) => probability) ?? [];
      expect(probabilities).toHaveLength(2);
      expect(probabilities[1]).toBeCloseTo(1 / (1 + Math.exp(first - second)), 5);
    },
  );

  it("refuses a checkpoint that may not be read, and settings that its layout has not", async () => {
    const { models } = services.clients;
    const request = { parent: PARENT, modelId: "other" };
    await expect(models.importModel({ ...request, uri: "file:///etc/passwd" })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    const operation = await models.importModel({ ...request, uri: `${root}/dsmil.pt`, settings: { crmsa_heads: "1" } });
    await expect(trainedModel(services.clients, operation)).rejects.toThrow("setting crmsa_heads");
  });

  it("lists presets that the stage accepts, with every value written out", async () => {
    const { presets } = await services.clients.training.listPresets({});
    expect(presets.map(({ name }) => name)).toEqual(presets.map(({ name }) => name).toSorted());
    const counts = new Map<string, number>();
    for (const { name, spec } of presets) {
      const task = { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["a", "b"] };
      const parsed = parseTrainSpec(trainSpecFromWire(commonV1.TrainingSpec.fromPartial({ ...spec, task })));
      const model = buildModel({ ...parsed.model, dIn: name.endsWith("plip") ? 512 : 1024 });
      counts.set(
        name,
        model.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      );
      const sent = trainSpecFromWire(commonV1.TrainingSpec.fromPartial({ ...spec, task })).model as {
        reembed?: object;
      };
      expect(Object.keys(model.config.reembed)).toEqual(expect.arrayContaining(Object.keys(sent.reembed ?? {})));
      if (sent.reembed) expect(new Set(Object.keys(sent.reembed))).toEqual(new Set(Object.keys(model.config.reembed)));
    }
    // As the papers' programs count them.
    expect(counts.get("r2t-camelyon16-r50")).toBe(2_696_450);
    expect(counts.get("r2t-camelyon16-plip")).toBe(2_435_282);
    expect(counts.get("r2t-brca-r50")).toBe(2_697_490);
    expect(counts.get("r2t-brca-plip")).toBe(2_434_306);
    expect(counts.get("r2t-nsclc-r50")).toBe(2_698_546);
    expect(counts.get("r2t-nsclc-plip")).toBe(2_499_698);
    // But for the biases of CLAM's scores, which cancel in the softmax.
    expect(counts.get("clam-sb")).toBe(790_791 - 1);
    expect(counts.get("clam-mb")).toBe(791_048 - 2);
    expect(counts.get("transmil")).toBe(2_672_146);
    expect(counts.get("ro-abmil")).toBe(4_335_618);
    expect(counts.get("ro-dsmil")).toBe(3_762_436);
    // The sizes of the mixers of 1 280 features, here of 1 024, and gated attention on their width but for its bias that cancels.
    const head = (width: number) => 2 * 512 * (width + 1) + 512 + 2 * (width + 1);
    const mixers = { s: [11_202_048, 384], m: [25_950_208, 512], b: [86_141_952, 768] } as const;
    for (const [size, [encoder, width]] of Object.entries(mixers))
      expect(counts.get(`region-mixer-${size}`)).toBe(encoder - 256 * width + head(width));
  });
});
