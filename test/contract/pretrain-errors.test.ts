import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Bag, writeBag } from "@parfocal/bags";
import { gatewayV1 } from "@parfocal/protocol";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const ABSENT = `${PARENT}/bags/${"0".repeat(64)}`;
const OTHER = `projects/other/bags/${"0".repeat(64)}`;

describe("what the gateway says to wrong requests about regions and pretraining", () => {
  const slides = plantCohort(16);
  let services: Services;
  let store: ObjectStore;
  let names: string[];
  let model: gatewayV1.Model;

  beforeAll(async () => {
    const uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-contract-"))).href;
    store = openStore(uri);
    services = await startServices({ PARFOCAL_STORE: uri });
    names = await uploadCohort(services.clients, slides);
    const request = trainRequest(slides, names, { epochs: 1 });
    model = await trainedModel(services.clients, await services.clients.training.train(request));
  });
  afterAll(async () => {
    await services?.close();
    store?.close();
  });

  /** A bag of the catalog that says of itself that it holds so many magnifications. */
  const enter = async (levelCount: number, d = 4, known: { slideId?: string; patientId?: string } = {}) => {
    const features: Bag["features"] = { dtype: "F32", data: new Float32Array(d).fill(1) };
    const metadata = { levelCount, anchorPx: [0, 0], level0StridePx: 1024, ...known } as const;
    const bag = { n: 1, d, features, coords: new Int32Array(2), level: new Uint8Array(1), metadata };
    const ref = await writeBag(store, "projects/test/bags/", bag);
    const entry = new TextEncoder().encode(JSON.stringify({ ref, metadata }));
    await store.put(`projects/test/bag-index/${ref.digest}.json`, entry);
    return `${PARENT}/bags/${ref.digest}`;
  };

  it("refuses builds that could not work, naming field and bound", async () => {
    const { bags } = services.clients;
    const [one = "", two = ""] = names;
    const build = (change: Parameters<typeof bags.buildRegions>[0]) =>
      expect(bags.buildRegions({ parent: PARENT, slides: [{ bags: [one, two] }], ...change })).rejects;
    const invalid = (field: string, bound?: string) => ({
      code: "INVALID_ARGUMENT",
      details: expect.objectContaining({ field, ...(bound === undefined ? {} : { bound }) }) as object,
    });
    await build({ parent: "projects/.." }).toMatchObject(invalid("parent"));
    await build({ slides: [] }).toMatchObject(invalid("slides", "1 to 10000"));
    await build({ slides: [{ bags: [] }] }).toMatchObject(invalid("slides[0].bags", "1 to 5"));
    await build({ slides: [{ bags: [one] }, { bags: names.slice(0, 6) }] }).toMatchObject(
      invalid("slides[1].bags", "1 to 5"),
    );
    await build({ slides: [{ bags: [one, one] }] }).toMatchObject(invalid("slides[0].bags[1]"));
    await build({ slides: [{ bags: ["x"] }] }).toMatchObject(invalid("slides[0].bags[0]"));
    await build({ slides: [{ bags: [one] }, { bags: [two, ABSENT] }] }).toMatchObject({
      code: "NOT_FOUND",
      details: { field: "slides[1].bags[1]" },
    });
    await build({ slides: [{ bags: [OTHER] }] }).toMatchObject({ code: "FORBIDDEN" });
    await build({ options: { levelCount: 1 } }).toMatchObject(invalid("options.level_count", "2 to 5"));
    await build({ options: { levelCount: 6 } }).toMatchObject(invalid("options.level_count", "2 to 5"));
    await build({ options: { maxOffset: 0.6 } }).toMatchObject(invalid("options.max_offset", "0 to 0.5"));
    await build({ options: { maxOffset: Number.NaN } }).toMatchObject(invalid("options.max_offset", "0 to 0.5"));
    await build({ options: { ratioTolerance: -1 } }).toMatchObject(invalid("options.ratio_tolerance", "0 to 0.25"));
    await build({ requestId: "not a uuid" }).toMatchObject(invalid("request_id"));
  });

  it("refuses pretrainings that could not work, naming field and bound", async () => {
    const { training } = services.clients;
    const [three, two, wide] = [await enter(3), await enter(2), await enter(3, 5)];
    const good = { parent: PARENT, modelId: "mixer", bags: [three], spec: { mixer: {} } };
    const pretrain = (change: Parameters<typeof training.pretrain>[0]) =>
      expect(training.pretrain({ ...good, ...change })).rejects;
    const invalid = (field: string) => ({
      code: "INVALID_ARGUMENT",
      details: expect.objectContaining({ field }) as object,
    });
    const precondition = (field: string) => ({
      code: "PRECONDITION_FAILED",
      details: expect.objectContaining({ field, precondition: "REGION_BAG" }) as object,
    });
    await pretrain({ parent: "" }).toMatchObject(invalid("parent"));
    await pretrain({ modelId: "../up" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    await pretrain({ spec: undefined }).toMatchObject(invalid("spec"));
    await pretrain({ spec: {} }).toMatchObject(invalid("spec.mixer"));
    await pretrain({ bags: [] }).toMatchObject(invalid("bags"));
    await pretrain({ bags: [three, three] }).toMatchObject(invalid("bags[1]"));
    await pretrain({ bags: [three, ABSENT] }).toMatchObject({ code: "NOT_FOUND", details: { field: "bags[1]" } });
    await pretrain({ bags: [OTHER] }).toMatchObject({ code: "FORBIDDEN" });
    await pretrain({ requestId: "not a uuid" }).toMatchObject(invalid("request_id"));
    await pretrain({ bags: [three, names[0] ?? ""] }).toMatchObject(precondition("bags[1]"));
    await pretrain({ bags: [three, two] }).toMatchObject(precondition("bags[1]"));
    await pretrain({ bags: [three, wide] }).toMatchObject(precondition("bags[1]"));
    await pretrain({ spec: { mixer: { levelCount: 2 } } }).toMatchObject(precondition("bags[0]"));
    // Absent, the mixer's number of magnifications is 3, whatever the first bag has.
    await pretrain({ bags: [two] }).toMatchObject({
      ...precondition("bags[0]"),
      message: "bags[0] has 2 magnifications; 3 are wanted",
    });
  });

  it("refuses two region bags of one slide, naming both places and neither slide nor patient", async () => {
    const { training } = services.clients;
    const one = await enter(3, 4, { slideId: "S-secret" });
    const other = await enter(3, 4, { slideId: "S-secret", patientId: "P-secret" });
    const bags = [await enter(3), one, await enter(3, 4, { slideId: "S-other" }), other];
    const refused = training.pretrain({ parent: PARENT, modelId: "mixer", bags, spec: { mixer: {} } });
    const error = await refused.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "PRECONDITION_FAILED",
      message: "bags[3] is of the same slide as bags[1]; one region bag of each slide is wanted",
      details: { field: "bags[3]", other: "bags[1]", precondition: "ONE_PER_SLIDE" },
    });
    expect(JSON.stringify(error)).not.toContain("secret");
  });

  it("ends a pretraining whose recipe is wrong with a named error", async () => {
    const { training, operations } = services.clients;
    const request = { parent: PARENT, modelId: "mixer", bags: [await enter(3)], spec: { mixer: {}, batchRegions: 0 } };
    const { name } = await training.pretrain(request);
    const done = await operations.waitOperation({ name });
    expect(done.result).toMatchObject({
      $case: "error",
      value: { code: 3, message: expect.stringMatching(/batchRegions.*0.*1.*65536/) as string },
    });
  });

  it("refuses a training that starts from what has nothing to start from", async () => {
    const { training } = services.clients;
    const good = trainRequest(slides, names);
    const regions = gatewayV1.TrainRequest.fromPartial({
      spec: { architecture: { reembedder: { kind: { $case: "regionMixer", value: {} } } } },
    });
    const architecture = { ...good.spec?.architecture, ...regions.spec?.architecture };
    const spec = { ...good.spec, architecture };
    const start = (startFrom: string, change: object = { spec }) =>
      expect(training.train({ ...good, ...change, startFrom })).rejects;
    await start(model.name, {}).toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "start_from" } });
    await start("nonsense").toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "start_from" } });
    await start(`${PARENT}/models/none`).toMatchObject({ code: "NOT_FOUND" });
    await start("projects/other/models/tumour").toMatchObject({ code: "FORBIDDEN" });
    await start(model.name).toMatchObject({
      code: "PRECONDITION_FAILED",
      details: { field: "start_from", precondition: "REEMBEDDER" },
    });
  });

  it("refuses predictions by a model without a head", async () => {
    const mixer = gatewayV1.Model.fromPartial({ ...model, name: `${PARENT}/models/mixer/versions/1`, head: "" });
    const entry = { ...mixer, task: undefined, reembedder: "region-mixer" };
    const bytes = new TextEncoder().encode(JSON.stringify(gatewayV1.Model.toJSON(entry)));
    await store.put("projects/test/model-index/mixer/1.json", bytes);
    for (const includeAttention of [false, true]) {
      const bag = names[0] ?? "";
      const refused = services.clients.prediction.predict({ model: mixer.name, bag, includeAttention });
      await expect(refused).rejects.toMatchObject({
        code: "PRECONDITION_FAILED",
        details: { field: "model", precondition: "HEAD" },
      });
    }
    const { model: found } = await services.clients.models.getModel({ name: mixer.name });
    expect(found).toMatchObject({ head: "", task: undefined });
  });
});
