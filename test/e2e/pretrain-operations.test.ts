import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMagnificationH5 } from "../../cli/src/cohort/encode-h5.ts";
import { type MagnifiedSlide, plantMagnified } from "../../cli/src/cohort/planted-magnifications.ts";
import { builtRegions, pretrainRequest, regionNames, uploadMagnified } from "../lib/pretrain-and-train.ts";
import { metadataOf, PARENT, trainedModel, upload } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const REQUEST_ID = "5a1f2c34-7b1d-4f0e-9a54-0d0f6b1c2d3e";
/** Status CANCELLED of gRPC. */
const CANCELLED = 1;
/** Level-0 pixels by which the finest magnification of a slide is moved: half a tile. */
const SHIFT_PX = 224;

describe("operations on regions and mixers", () => {
  const slides = plantMagnified(6, 2, 9n);
  let services: Services;
  let names: string[][];
  let regions: string[];

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    names = await uploadMagnified(services.clients, slides);
    regions = regionNames(await builtRegions(services.clients, await build(names)));
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

  it("refuse a slide whose magnifications lie off one grid, with the offset, and go on with the others", async () => {
    const { clients } = services;
    const [coarse = "", middle = ""] = names[0] ?? [];
    const shifted = await upload(clients, "M001.h5", await encodeMagnificationH5(shiftedFinest(slides[0])));
    const ofSlides = [
      [coarse, middle, shifted.bag.name],
      names[1] ?? [],
      [coarse, names[2]?.[1] ?? ""],
      [coarse, coarse],
    ];
    await expect(build(ofSlides)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const built = await builtRegions(clients, await build(ofSlides.slice(0, 3)));
    expect(built.map(({ result }) => result?.$case)).toEqual(["error", "bag", "error"]);
    const refusal = { code: "GEOMETRY_MISMATCH", message: expect.stringMatching(/0\.5/) as string };
    expect(built[0]).toMatchObject({ result: { value: refusal }, report: undefined });
    // Bags of two slides.
    expect(built[2]?.result?.value).toMatchObject({ code: "GEOMETRY_MISMATCH" });
    const anyway = await builtRegions(clients, await build(ofSlides.slice(0, 1), { options: { matchByCentre: true } }));
    expect(anyway[0]?.report?.unalignedCount).toBeGreaterThan(0n);
  });

  it("are the same for the same request id and body, and refuse another body", async () => {
    const { clients } = services;
    const request = { requestId: REQUEST_ID };
    const [first, second] = await Promise.all([build(names, request), build(names, request)]);
    expect(second.name).toBe(first.name);
    await expect(build(names.slice(1), request)).rejects.toMatchObject({ code: "CONFLICT" });

    const pretrain = { ...pretrainRequest(regions, { totalRegions: 32n }), requestId: REQUEST_ID.replace("5a", "6b") };
    const [one, two] = await Promise.all([clients.training.pretrain(pretrain), clients.training.pretrain(pretrain)]);
    expect(two.name).toBe(one.name);
    await trainedModel(clients, one);
    expect((await clients.training.pretrain(pretrain)).done).toBe(true);
    await expect(clients.training.pretrain({ ...pretrain, seed: 4n })).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("are cancelled in the middle of a pretraining, all the way into the engine", async () => {
    const { clients } = services;
    const request = { ...pretrainRequest(regions, { totalRegions: 1_000_000n }), modelId: "long" };
    const operation = await clients.training.pretrain(request);
    for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
      if ((metadataOf(state).counters.update ?? 0) > 0) break;
    }
    await clients.operations.cancelOperation({ name: operation.name });
    const done = await clients.operations.waitOperation({ name: operation.name });
    expect(done.result).toMatchObject({ $case: "error", value: { code: CANCELLED } });
    await expect(clients.models.getModel({ name: `${PARENT}/models/long` })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    // The engine is free: a short pretraining on the same stage goes through.
    const after = { ...pretrainRequest(regions, { totalRegions: 32n }), modelId: "after" };
    await trainedModel(clients, await clients.training.pretrain(after));
  });
});

function shiftedFinest(slide: MagnifiedSlide | undefined) {
  const finest = slide?.magnifications.at(-1);
  if (finest === undefined) throw new Error("the slide has no magnification");
  return { ...finest, coords: finest.coords.map((value) => value + SHIFT_PX) };
}
