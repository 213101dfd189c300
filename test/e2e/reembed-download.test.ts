import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { encodeBag, parseBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { commonV1, type gatewayV1, reembedV1 } from "@parfocal/protocol";
import { createStageClient, type StageClient } from "@parfocal/runtime";
import { keyFromUri, type ObjectStore, openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { runCli } from "../lib/run-cli.ts";
import { type Services, startServices } from "../lib/services.ts";

const WIDTH = 32;
/** More than a message holds of the re-embedded file. */
const N_LARGE = 9000;

const ARCHITECTURE = commonV1.Architecture.fromPartial({
  reembedder: {
    kind: {
      $case: "roformer",
      value: { width: WIDTH, heads: 2, rotary: commonV1.RoformerReembedder_Rotary.ROTARY_NONE },
    },
  },
  head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 16, gated: true } } },
});

const slides = plantCohort(12);
let folder: string;
let services: Services;
let store: ObjectStore;
let stage: StageClient<typeof reembedV1.ReembedServiceDefinition>;
let names: string[];
let model: gatewayV1.Model;
let plain: gatewayV1.Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
  const { href: uri } = pathToFileURL(join(folder, "store"));
  store = openStore(uri);
  services = await startServices({ PARFOCAL_STORE: uri, PARFOCAL_WHOLE_BAG_MB: "0" });
  stage = createStageClient(reembedV1.ReembedServiceDefinition, services.reembedAddress);
  names = await uploadCohort(services.clients, slides);
  plain = await trained("plain");
  model = await trained("roformer", ARCHITECTURE);
});
afterAll(async () => {
  stage?.close();
  await services?.close();
  store?.close();
  await rm(folder, { recursive: true, force: true });
});

async function trained(modelId: string, architecture?: commonV1.Architecture): Promise<gatewayV1.Model> {
  const request = trainRequest(slides, names, { modelId, epochs: 1 });
  if (request.spec !== undefined && architecture !== undefined) request.spec.architecture = architecture;
  return trainedModel(services.clients, await services.clients.training.train(request));
}

/** A file of a bag with coordinates. */
function bagFile(n: number, slideId: string, seed: bigint): Uint8Array {
  const rng = createRng(seed);
  const data = Float32Array.from({ length: n * PLANTED_DIM }, () => rng.normal());
  const coords = Int32Array.from({ length: 2 * n }, (_, i) => 256 * i);
  return encodeBag({ n, d: PLANTED_DIM, features: { dtype: "F32", data }, coords, metadata: { slideId } });
}

async function reembed(bag: string, wish: Partial<gatewayV1.ReembedRequest> = {}) {
  const { prediction } = services.clients;
  const progress: (readonly [number, number])[] = [];
  const chunks: Uint8Array[] = [];
  const order = new Set<string>();
  let reembedded: gatewayV1.ReembeddedBag | undefined;
  for await (const { event } of prediction.reembed({ model: model.name, bag, includeContent: false, ...wish })) {
    order.add(event?.$case ?? "nothing");
    if (event?.$case === "progress") progress.push([Number(event.value.doneTiles), Number(event.value.totalTiles)]);
    if (event?.$case === "reembedded") reembedded = event.value;
    if (event?.$case === "chunk") chunks.push(event.value);
  }
  if (reembedded?.reference?.object === undefined) return expect.unreachable("no bag came");
  return { progress, chunks, order: [...order], reembedded, object: reembedded.reference.object };
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("Reembed of the gateway", () => {
  it("tells how far it is, then the bag that the stage keeps, and at once when it is asked again", async () => {
    const { bag } = await upload(services.clients, "large.safetensors", bagFile(N_LARGE, "large", 1n));
    const first = await reembed(bag.name);
    expect(first.order).toEqual(["progress", "reembedded"]);
    expect(first.progress.length).toBeGreaterThan(1);
    expect(first.progress.at(-1)).toEqual([N_LARGE, N_LARGE]);
    expect(first.reembedded).toMatchObject({
      ...{ model: model.name, bag: bag.name },
      reference: {
        ...{ tileCount: N_LARGE, featureDim: WIDTH, hasCoordinates: true },
        dtype: commonV1.DataType.DATA_TYPE_F32,
      },
    });
    const again = await reembed(bag.name);
    expect(again).toEqual({ ...first, progress: [], order: ["reembedded"] });
    const events = await Array.fromAsync(stage.calls.reembed({ model: model.reference, bag: bag.reference }));
    expect(events).toMatchObject([{ event: { $case: "bag", value: first.reembedded.reference } }]);
  });

  it("sends the file in pieces of a MiB, with the digest that it told", async () => {
    const { bag } = await upload(services.clients, "pieces.safetensors", bagFile(N_LARGE, "pieces", 2n));
    const { chunks, object, order } = await reembed(bag.name, { includeContent: true });
    expect(order).toEqual(["progress", "reembedded", "chunk"]);
    expect(chunks.length).toBeGreaterThan(1);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(1024 * 1024);
    const bytes = Buffer.concat(chunks);
    expect([digestOf(bytes), BigInt(bytes.length)]).toEqual([object.sha256, object.sizeBytes]);
    const read = parseBag(bytes);
    expect([read.n, read.d, read.coords?.[1]]).toEqual([N_LARGE, WIDTH, 256]);
  });

  it("sends what was made anew when what is kept was damaged", async () => {
    const bag = names[0] ?? "";
    const whole = Buffer.concat((await reembed(bag, { includeContent: true })).chunks);
    const key = keyFromUri(store, (await reembed(bag)).object.uri);
    await store.put(key, whole.with(-7, (whole.at(-7) ?? 0) ^ 0x55));
    const { chunks, order } = await reembed(bag, { includeContent: true });
    expect(order).toEqual(["progress", "reembedded", "chunk"]);
    expect(digestOf(Buffer.concat(chunks))).toBe(digestOf(whole));
  });

  it("refuses models without a re-embedder, bags that are not there and those of other projects", async () => {
    const [bag = ""] = names;
    const nowhere = `${PARENT}/bags/${"0".repeat(64)}`;
    await expect(reembed(bag, { model: plain.name })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining("has no re-embedder") as string,
    });
    await expect(reembed(nowhere)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(reembed(bag, { model: `${PARENT}/models/none` })).rejects.toMatchObject({ code: "NOT_FOUND" });
    const foreign = bag.replace(PARENT, "projects/other");
    await expect(reembed(foreign)).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(reembed("no name")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "bag" } });
  });
});

describe("parfocal reembed", () => {
  const run = (...args: string[]) =>
    runCli(["reembed", ...args, "--gateway", services.gatewayAddress, "--project", "test", "--json"], folder);
  const read = async (name: string) => readFile(join(folder, name));

  it("writes the file as it is kept, and by --dtype f16 the nearest halves with everything else as it was", async () => {
    const { bag } = await upload(services.clients, "one.safetensors", bagFile(N_LARGE, "one", 3n));
    const full = await run("--model", "roformer", "one", "--output", "full");
    expect(full.code, full.stderr).toBe(0);
    expect(full.records).toEqual([
      {
        ...{ bag: bag.name, slide: "one", file: join("full", "one.safetensors"), shape: [N_LARGE, WIDTH] },
        ...{ dtype: "f32", coordinates: true, model: model.name },
      },
    ]);
    const bytes = await read("full/one.safetensors");
    expect(digestOf(bytes)).toBe((await reembed(bag.name)).object.sha256);

    const half = await run("--model", "roformer", "one", "--output", "half", "--dtype", "f16");
    expect(half.code, half.stderr).toBe(0);
    const [wide, narrow] = [parseBag(bytes), parseBag(await read("half/one.safetensors"))];
    expect(narrow.features.dtype).toBe("F16");
    expect({ ...narrow, features: 0 }).toEqual({ ...wide, features: 0 });
    const halves = new Uint16Array(new Float16Array(wide.features.data as Float32Array).buffer);
    expect(
      Buffer.compare(
        Buffer.from(narrow.features.data.buffer, narrow.features.data.byteOffset, halves.byteLength),
        Buffer.from(halves.buffer),
      ),
    ).toBe(0);
  });

  it("gives bags of one slide files of their own, and goes on when one fails", async () => {
    const bags = [4n, 5n].map((seed) => upload(services.clients, "twin.safetensors", bagFile(3, "twin", seed)));
    const twins = (await Promise.all(bags)).map(({ bag }) => bag.name);
    const wrong = encodeBag({
      n: 1,
      d: 3,
      features: { dtype: "F32", data: new Float32Array(3) },
      metadata: { slideId: "narrow" },
    });
    const narrow = (await upload(services.clients, "narrow.safetensors", wrong)).bag.name;
    const { code, records } = await run("--model", "roformer", ...twins, narrow, "nobody", "--output", "twins");
    expect(code).toBe(1);
    expect(records).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ bag: "nobody", error: expect.objectContaining({ code: "NOT_FOUND" }) as unknown }),
        expect.objectContaining({
          bag: narrow,
          error: expect.objectContaining({ code: "GEOMETRY_MISMATCH" }) as unknown,
        }),
      ]),
    );
    const files = twins.map((name) => `twin.${name.split("/").at(-1)?.slice(0, 12)}.safetensors`);
    expect((await readdir(join(folder, "twins"))).sort()).toEqual(files.sort());
  });

  it.each([
    ["a folder that is a file", 2, ["--model", "roformer", "one", "--output", "full/one.safetensors"]],
    ["no bags", 2, ["--model", "roformer", "--output", "none"]],
    ["another type", 2, ["--model", "roformer", "one", "--output", "none", "--dtype", "bf16"]],
    ["a model without a re-embedder", 1, ["--model", "plain", "one", "--output", "none"]],
  ])("is refused before any work for %s", async (_, code, args) => {
    expect((await run(...args)).code).toBe(code);
    expect(await readdir(folder)).not.toContain("none");
  });
});
