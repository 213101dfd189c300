import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Bag, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { aggregateV1, commonV1, reembedV1 } from "@parfocal/protocol";
import { createChannelTo, createStageClient } from "@parfocal/runtime";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Services, startServices } from "../lib/services.ts";

const D = 5;
const FACTS = { encoder: "uni_v2", tilePx: 256, mpp: 0.5 };
/** google.rpc.Code of requests that are wrong by themselves, that are not the caller's to make, and that do not fit what is there. */
const [INVALID_ARGUMENT, PERMISSION_DENIED, FAILED_PRECONDITION] = [3, 7, 9];

/** A small RoFormer that turns by places, trained on bags of {@link FACTS}. */
const SPEC = commonV1.TrainingSpec.fromPartial({
  task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["no", "yes"] },
  architecture: {
    reembedder: { kind: { $case: "roformer", value: { width: 8, heads: 2 } } },
    head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 4, gated: true } } },
  },
  recipe: { epochs: 1, seed: 1n },
});

describe("what the re-embedding stage says to bags and models that do not fit", () => {
  let services: Services;
  let store: ObjectStore;
  let model: commonV1.ModelReference;
  let calls: ReturnType<typeof clientsOf>;

  beforeAll(async () => {
    const uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-contract-"))).href;
    store = openStore(uri);
    services = await startServices({ PARFOCAL_STORE: uri });
    calls = clientsOf(services);
    model = await trainOn(await Promise.all(Array.from({ length: 12 }, (_, i) => write({ n: 6 + i }))));
  });
  afterAll(async () => {
    calls?.close();
    await services?.close();
    store?.close();
  });

  async function trainOn(bags: readonly commonV1.BagReference[]): Promise<commonV1.ModelReference> {
    const labelled = bags.map((bag, i) =>
      aggregateV1.LabelledBag.fromPartial({ bag, labels: [i % 2 === 0 ? "no" : "yes"], patientKey: `p${i}` }),
    );
    const [packageUri, checkpointUri] = [uriFromKey(store, "models/m"), uriFromKey(store, "tmp/m")];
    const request = { bags: labelled, spec: SPEC, packageUri, checkpointUri };
    for await (const { event } of calls.aggregate.train(request)) {
      if (event?.$case === "published" && event.value.model !== undefined) return event.value.model;
    }
    throw new Error("nothing was published");
  }

  async function write(
    change: Partial<Pick<Bag, "n" | "d">> & { readonly hasCoords?: boolean; readonly metadata?: Bag["metadata"] } = {},
  ): Promise<commonV1.BagReference> {
    const { n = 4, d = D, hasCoords = true, metadata = FACTS } = change;
    const rng = createRng(BigInt(n));
    const data = Float32Array.from({ length: n * d }, () => rng.normal());
    const coords = Int32Array.from({ length: 2 * n }, (_, i) => 512 * (i % 2 === 0 ? i % 6 : Math.floor(i / 6)));
    const bag = { n, d, features: { dtype: "F32", data } as const, metadata };
    const ref = await writeBag(store, "bags/", hasCoords ? { ...bag, coords } : bag);
    return {
      object: { uri: uriFromKey(store, ref.key), sha256: ref.digest, sizeBytes: BigInt(ref.sizeBytes) },
      tileCount: ref.n,
      featureDim: ref.d,
      dtype: commonV1.DataType.DATA_TYPE_F32,
      hasCoordinates: ref.hasCoords,
    };
  }

  async function reembed(request: Partial<reembedV1.ReembedRequest>): Promise<reembedV1.ReembedResponse[]> {
    const events: reembedV1.ReembedResponse[] = [];
    for await (const event of calls.reembed.reembed(reembedV1.ReembedRequest.fromPartial(request))) events.push(event);
    return events;
  }

  it("re-embeds a bag that fits, and one of which less is known", async () => {
    for (const bag of [await write(), await write({ n: 5, metadata: { mpp: 0.52 } })]) {
      expect((await reembed({ model, bag })).at(-1)?.event?.$case).toBe("bag");
    }
  });

  it.each([
    ["another encoder", { metadata: { ...FACTS, encoder: "virchow2" } }, /encoder of the bag is virchow2, .* uni_v2/u],
    ["another width", { d: D + 1 }, /6.*5|5.*6/u],
    ["tiles of another size", { metadata: { ...FACTS, tilePx: 512 } }, /tilePx of the bag is 512, .* 256/u],
    ["another resolution", { metadata: { ...FACTS, mpp: 0.56 } }, /mpp of the bag is 0\.56, .* 0\.5/u],
    ["no coordinates", { hasCoords: false }, /no coordinates/u],
  ])("refuses a bag of %s as what must be changed first", async (_what, change, message) => {
    const bag = await write(change);
    const refused = reembed({ model, bag });
    const cause = expect.objectContaining({ code: FAILED_PRECONDITION }) as unknown;
    await expect(refused).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH", cause });
    await expect(refused).rejects.toThrow(message);
    const kept = (await store.list("cache/reembed/")).objects.map(({ key }) => key.split("/").at(-1));
    expect(kept).not.toContain(`${bag.object?.sha256}.json`);
  });

  it("refuses requests that name no bag, no model, an empty bag or another store", async () => {
    const bag = await write();
    const refusal = async (request: Partial<reembedV1.ReembedRequest>) =>
      reembed(request).then(
        () => undefined,
        (error: { code: string; cause: { code: number } }) => [error.code, error.cause.code],
      );
    expect(await refusal({ model })).toEqual(["INVALID_ARGUMENT", INVALID_ARGUMENT]);
    expect(await refusal({ bag })).toEqual(["INVALID_ARGUMENT", INVALID_ARGUMENT]);
    expect(await refusal({ model, bag: { ...bag, tileCount: 0 } })).toEqual(["EMPTY_BAG", INVALID_ARGUMENT]);
    const object = { ...bag.object, uri: "file:///etc/passwd" } as commonV1.ObjectReference;
    expect(await refusal({ model, bag: { ...bag, object } })).toEqual(["FORBIDDEN", PERMISSION_DENIED]);
  });
});

function clientsOf({ aggregateAddress, reembedAddress }: Services) {
  const channels = [createChannelTo(aggregateAddress), createChannelTo(reembedAddress)] as const;
  return {
    aggregate: createStageClient(aggregateV1.AggregateServiceDefinition, channels[0]).calls,
    reembed: createStageClient(reembedV1.ReembedServiceDefinition, channels[1]).calls,
    close: () => channels.forEach((channel) => void channel.close()),
  };
}
