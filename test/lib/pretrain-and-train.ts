import { mapBounded } from "@parfocal/errors";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { openStore, storeOptionsFromEnv } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMagnificationH5 } from "../../cli/src/cohort/encode-h5.ts";
import {
  MAGNIFIED_CLASSES,
  type MagnifiedSlide,
  type PlantedMagnification,
  plantMagnified,
} from "../../cli/src/cohort/planted-magnifications.ts";
import { metadataOf, PARENT, trainedModel, upload } from "./requests.ts";
import { type Clients, type RunningServices, type ServiceEnv, startServices } from "./services.ts";

/** A mixer that trains within seconds. */
export const TINY_MIXER = { regionTiles: 2, width: 16, heads: 2, depth: 1 };

const files = new WeakMap<PlantedMagnification, Promise<Uint8Array>>();

/** A file that is the same each time: HDF5 keeps when it was written, and a bag keeps the digest of its file. */
function fileOf(tiles: PlantedMagnification): Promise<Uint8Array> {
  const file = files.get(tiles) ?? encodeMagnificationH5(tiles);
  files.set(tiles, file);
  return file;
}

/** Uploads every magnification of slides; gives the bags' names by slide, coarsest first. */
export async function uploadMagnified(clients: Clients, slides: readonly MagnifiedSlide[]): Promise<string[][]> {
  const tiles = slides.flatMap(({ slideId, magnifications }) => magnifications.map((each) => ({ slideId, each })));
  const names = await mapBounded(tiles, 4, async ({ slideId, each }) => {
    return (await upload(clients, `${slideId}.h5`, await fileOf(each))).bag.name;
  });
  const perSlide = slides[0]?.magnifications.length ?? 1;
  return slides.map((_, index) => names.slice(index * perSlide, (index + 1) * perSlide));
}

/** Waits for an operation; gives the response of BuildRegions or throws what it failed with. */
export async function builtRegions(
  clients: Clients,
  { name }: googleLongrunning.Operation,
): Promise<gatewayV1.BuiltRegions[]> {
  const done = await clients.operations.waitOperation({ name });
  if (done.result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(done.result)}`);
  return gatewayV1.BuildRegionsResponse.decode(done.result.value.value).slides;
}

/** Names of the region bags that were built; throws for a slide that was refused. */
export function regionNames(slides: readonly gatewayV1.BuiltRegions[]): string[] {
  return slides.map(({ result }) => {
    if (result?.$case === "bag") return result.value.name;
    throw new Error(`a slide was refused: ${JSON.stringify(result)}`);
  });
}

/** A request that pretrains a tiny mixer on region bags. */
export function pretrainRequest(bags: readonly string[], options: { readonly totalRegions?: bigint } = {}) {
  const { totalRegions = 256n } = options;
  return gatewayV1.PretrainRequest.fromPartial({
    ...{ parent: PARENT, modelId: "mixer", bags: [...bags], seed: 3n },
    spec: {
      mixer: TINY_MIXER,
      masked: { decoderWidth: 32, decoderDepth: 1 },
      ...{ batchRegions: 16, totalRegions, validationFraction: 0.25, checkpointUpdates: 4 },
      optimiser: { learningRate: 0.02 },
    },
  });
}

/** A request that fine-tunes the mixer `startFrom`, or one of fresh weights. */
export function fineTuneRequest(
  slides: readonly MagnifiedSlide[],
  bags: readonly string[],
  options: { readonly startFrom?: string; readonly epochs?: number } = {},
) {
  const { startFrom = "", epochs = 2 } = options;
  const { PART_TRAIN, PART_TEST } = commonV1.Part;
  const isTest = (index: number) => index >= slides.length - 4;
  return gatewayV1.TrainRequest.fromPartial({
    ...{ parent: PARENT, modelId: "paired", startFrom },
    bags: slides.map(({ label, patient }, index) => ({
      ...{ bag: bags[index] ?? "", labels: [label], patientId: patient, groupId: "" },
      part: isTest(index) ? PART_TEST : PART_TRAIN,
    })),
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: [...MAGNIFIED_CLASSES] },
      architecture: {
        reembedder: { kind: { $case: "regionMixer", value: TINY_MIXER } },
        head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 8, gated: true } } },
      },
      recipe: { epochs, frozenEpochs: 1, layerDecay: 0.75, seed: 1n },
      groups: { kind: commonV1.GroupRule_Kind.KIND_MIN_LOSS },
    },
  });
}

/**
 * The way of the magnifications on one store: bags of one magnification become region bags, these a pretrained mixer, that a
 * fine-tuned model which predicts. The same tests run on every store that `storeEnv` can name, with services however `start`
 * starts them.
 */
export function describePretrainAndTrain(
  name: string,
  storeEnv: () => Promise<ServiceEnv>,
  start: (env: ServiceEnv) => Promise<RunningServices> = startServices,
): void {
  describe(`regions, pretraining and fine-tuning on ${name}`, () => {
    const slides = plantMagnified(10, 2, 5n);
    let env: ServiceEnv;
    let services: RunningServices;
    let names: string[][];
    let regions: string[];
    let mixer: gatewayV1.Model;
    let model: gatewayV1.Model;

    beforeAll(async () => {
      env = await storeEnv();
      services = await start(env);
      names = await uploadMagnified(services.clients, slides);
    });
    afterAll(async () => {
      await services?.close();
    });

    const build = (bags: readonly (readonly string[])[], options = {}) =>
      services.clients.bags.buildRegions({
        parent: PARENT,
        slides: bags.map((each) => ({ bags: [...each] })),
        ...options,
      });

    it("builds a region bag per slide and enters it with its slide, patient and magnifications", async () => {
      const { clients } = services;
      const operation = await build(names);
      const progress: gatewayV1.OperationMetadata[] = [];
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        progress.push(metadataOf(state));
      }
      const built = await builtRegions(clients, operation);
      regions = regionNames(built);
      for (const { report } of built) {
        expect(report).toMatchObject({ tileCounts: [16n, 64n, 256n], cellCount: 16n, fullCellCount: 16n });
        expect(report?.coarseTilePx).toBe(1792);
      }
      const { bag } = await clients.bags.getBag({ name: regions[2] ?? "" });
      expect(bag?.info).toMatchObject({ slideId: "M003", levelCount: 3, encoder: "planted", level0StridePx: 1792 });
      expect(bag?.reference).toMatchObject({ tileCount: 336, hasCoordinates: true });
      expect(progress.at(-1)?.counters).toMatchObject({ done: slides.length, total: slides.length, refused: 0 });
    });

    it("finds the same bags when it builds again", async () => {
      const before = (await services.clients.bags.listBags({ parent: PARENT, pageSize: 100 })).bags.length;
      expect(regionNames(await builtRegions(services.clients, await build(names)))).toEqual(regions);
      expect((await services.clients.bags.listBags({ parent: PARENT, pageSize: 100 })).bags).toHaveLength(before);
    });

    it("pretrains a mixer, tells how it goes, and enters it as a model that decides nothing", async () => {
      const { clients } = services;
      const operation = await clients.training.pretrain(pretrainRequest(regions));
      const seen: gatewayV1.OperationMetadata[] = [];
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        seen.push(metadataOf(state));
      }
      mixer = await trainedModel(clients, operation);
      expect(seen.some(({ phase }) => /^update \d+ of 16$/.test(phase))).toBe(true);
      const counters = seen.flatMap(({ counters: each }) => ("regions_per_s" in each ? [each] : [])).at(-1);
      expect(Object.keys(counters ?? {})).toEqual(
        expect.arrayContaining(["train_loss", "loss_level_0", "loss_level_2", "loader_wait", "train_regions"]),
      );
      expect(mixer).toMatchObject({
        head: "",
        task: undefined,
        reembedder: "region-mixer",
        featureDim: 16,
        encoder: "planted",
      });
      expect(mixer.pretraining.at(-1)).toMatchObject({ update: 16n, updateCount: 16n, regionsSeen: 256n });
      expect(JSON.parse(mixer.configJson)).toMatchObject({
        reembed: { kind: "region-mixer", width: 16, levelCount: 3 },
      });
      const listed = await clients.models.listModels({ parent: `${PARENT}/models/mixer` });
      expect(listed.models).toMatchObject([{ name: mixer.name, pretraining: [] }]);
      const refused = clients.prediction.predict({ model: mixer.name, bag: regions[0] ?? "" });
      await expect(refused).rejects.toMatchObject({ code: "PRECONDITION_FAILED", details: { field: "model" } });
    });

    it("deletes the checkpoints of a pretraining with its operation", async () => {
      const { clients } = services;
      const store = openStore(env.PARFOCAL_STORE ?? "", storeOptionsFromEnv(env));
      try {
        const { operations } = await clients.operations.listOperations({ name: PARENT, filter: 'verb="pretrain"' });
        for (const { name: operation } of operations) await clients.operations.deleteOperation({ name: operation });
        const left = (await store.list("operations/test/")).objects.filter(({ key }) => key.includes("/tmp/"));
        expect(operations).toHaveLength(1);
        expect(left).toEqual([]);
      } finally {
        store.close();
      }
    });

    it("fine-tunes from the mixer by an alias, and predicts with an attention for every tile", async () => {
      const { clients } = services;
      const alias = `${PARENT}/models/mixer/aliases/good`;
      await clients.models.setAlias({ name: alias, version: mixer.name });
      model = await trainedModel(
        clients,
        await clients.training.train(fineTuneRequest(slides, regions, { startFrom: alias })),
      );
      expect(model).toMatchObject({ reembedder: "region-mixer", head: "gated-abmil" });
      expect(model.test).toMatchObject({ slideCount: 4, patientCount: 4 });
      const request = { model: model.name, bag: regions[0] ?? "", includeAttention: true };
      const { prediction, attention } = await clients.prediction.predict(request);
      expect(prediction?.probabilities.map(({ label }) => label)).toEqual(["crossed", "paired"]);
      expect(attention?.weights?.shape).toEqual([336, 1]);
      expect(attention?.coordinates?.shape).toEqual([336, 2]);
      const coordinates = attention?.coordinates?.value;
      if (coordinates?.$case !== "inline") throw new Error("small arrays come inline");
      const corner = new Float32Array(Uint8Array.from(coordinates.value).buffer).subarray(0, 2);
      expect([...corner]).toEqual([...(slides[0]?.magnifications[0]?.coords.subarray(0, 2) ?? [])]);
    });

    it("refuses to predict a bag of one magnification by it", async () => {
      const refused = services.clients.prediction.predict({ model: model.name, bag: names[0]?.[2] ?? "" });
      await expect(refused).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH" });
    });
  });
}
