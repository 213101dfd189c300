import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Bag, type BagRef, readBag, readBlockIndex, TILE_FLAGS, writeBag } from "@parfocal/bags";
import { type commonV1, pretrainV1 } from "@parfocal/protocol";
import { type Channel, createChannelTo, createSilentLogger, createStageClient } from "@parfocal/runtime";
import { pretrainConfigFromEnv, startPretrain } from "@parfocal/service-pretrain";
import { bagReferenceFromRef, bagRefFromWire } from "@parfocal/stage";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const COARSE_PX = 1792;

let uri: string;
let store: ObjectStore;
let stage: Awaited<ReturnType<typeof startPretrain>>;
let channel: Channel;
beforeAll(async () => {
  uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-regions-"))).href;
  store = openStore(uri);
  const env = { PORT: "0", PARFOCAL_THREADS: "1", PARFOCAL_STORE: uri };
  stage = await startPretrain(pretrainConfigFromEnv(env), createSilentLogger(), env);
  channel = createChannelTo(stage.server.address);
});
afterAll(async () => {
  channel?.close();
  await stage?.close();
  store?.close();
  await rm(fileURLToPath(uri), { recursive: true, force: true });
});

/** Bag of one magnification of a slide of 3 × 4 coarse cells; every feature of a tile is its row. */
function planted(m: number, metadata: Bag["metadata"] = {}, shift = 0): Bag {
  const [rows, columns, side] = [3 * 2 ** m, 4 * 2 ** m, COARSE_PX / 2 ** m];
  const n = rows * columns;
  const data = new Uint16Array(Float16Array.from({ length: 4 * n }, (_, at) => at >> 2).buffer);
  const coords = Int32Array.from({ length: 2 * n }, (_, at) => {
    const tile = at >> 1;
    return side * (at % 2 === 0 ? tile % columns : Math.floor(tile / columns)) + shift;
  });
  const geometry = { slideId: "s", encoder: "virchow2", tilePx: 224, mpp: 2 / 2 ** m, level0StridePx: side };
  return { n, d: 4, features: { dtype: "F16", data }, coords, metadata: { ...geometry, ...metadata } };
}

async function stored(...bags: Bag[]): Promise<commonV1.BagReference[]> {
  const refs: BagRef[] = [];
  for (const bag of bags) refs.push(await writeBag(store, "bags/", bag));
  return refs.map((ref) => bagReferenceFromRef(store, ref));
}

type Request = Omit<Parameters<typeof pretrainV1.BuildRegionsRequest.fromPartial>[0], "bags">;

async function build(bags: commonV1.BagReference[], request: Request = {}, signal?: AbortSignal) {
  const client = createStageClient(pretrainV1.PretrainServiceDefinition, channel).calls;
  const full = pretrainV1.BuildRegionsRequest.fromPartial({ regionsUri: `${uri}/regions/`, ...request, bags });
  const events: pretrainV1.BuildRegionsResponse[] = [];
  for await (const event of client.buildRegions(full, signal ? { signal } : {})) events.push(event);
  return events;
}

describe("BuildRegions", () => {
  it("tells of each bag, then gives the region bag and what was found; these at once the second time", async () => {
    const bags = await stored(planted(2), planted(0), planted(1));
    const events = await build(bags);
    expect(events.map(({ doneBags, totalBags }) => [doneBags, totalBags])).toEqual([
      [1n, 3n],
      [2n, 3n],
      [3n, 3n],
      [3n, 3n],
    ]);
    expect(events.slice(0, 3).every(({ bag, report }) => bag === undefined && report === undefined)).toBe(true);
    const last = events.at(-1);
    expect(last?.report).toEqual({
      ...{ tileCounts: [12n, 48n, 192n], cellCount: 12n, fullCellCount: 12n, coarseTilePx: COARSE_PX },
      ...{ largestOffsets: [0, 0, 0], unalignedCount: 0n, decimatedCount: 0n },
      surrogateLevels: [],
    });
    const ref = bagRefFromWire(store, last?.bag);
    expect(ref).toMatchObject({ n: 252, d: 4, dtype: "F16", hasCoords: true });
    expect(ref.key).toBe(`regions/${ref.digest}.safetensors`);
    expect((await readBag(store, ref)).metadata).toMatchObject({ levelCount: 3, anchorPx: [0, 0] });
    expect((await readBlockIndex(store, ref)).index.blockCount).toBe(12);
    expect(await build(bags.toReversed())).toEqual([last]);
  });

  it("follows its options", async () => {
    const bags = await stored(planted(0), planted(2, {}, 100));
    const last = (await build(bags, { options: { levelCount: 3, matchByCentre: true } })).at(-1);
    expect(last?.report).toMatchObject({ tileCounts: [12n, 0n, 192n], unalignedCount: 192n });
  });

  it("joins a slide that lacks its coarsest and its finest magnification where levels are named", async () => {
    const bags = await stored(planted(1, { slideId: "m" }));
    const last = (await build(bags, { options: { levelMpps: [2, 1, 0.5] } })).at(-1);
    expect(last?.report).toMatchObject({ tileCounts: [0n, 48n, 0n], cellCount: 12n, coarseTilePx: COARSE_PX });
    const ref = bagRefFromWire(store, last?.bag);
    expect((await readBag(store, ref)).metadata).toMatchObject({ levelCount: 3, mpp: 0.5, level0StridePx: COARSE_PX });
  });

  it("makes up what a slide lacks above its finest magnification when asked to, as another bag that says so", async () => {
    const bags = await stored(planted(1, { slideId: "u" }), planted(2, { slideId: "u" }));
    const levelMpps = [2, 1, 0.5];
    const plain = (await build(bags, { options: { levelMpps } })).at(-1);
    const made = (await build(bags, { options: { levelMpps, surrogateLevels: true } })).at(-1);
    expect(plain?.report).toMatchObject({ tileCounts: [0n, 48n, 192n], surrogateLevels: [], fullCellCount: 0n });
    expect(made?.report).toMatchObject({ tileCounts: [12n, 48n, 192n], surrogateLevels: [0], fullCellCount: 12n });
    const ref = bagRefFromWire(store, made?.bag);
    expect(ref.digest).not.toBe(bagRefFromWire(store, plain?.bag).digest);
    const bag = await readBag(store, ref);
    expect(bag.metadata).toMatchObject({ surrogateLevels: [0] });
    // The first coarse tile stands for rows 0, 1, 8 and 9 of the middle bag, whose features are their row.
    expect(bag.flags?.[0]).toBe(TILE_FLAGS.pseudo | TILE_FLAGS.edge);
    expect([...new Float16Array(bag.features.data.buffer, bag.features.data.byteOffset, 4)]).toEqual([
      4.5, 4.5, 4.5, 4.5,
    ]);
  });

  const cases: [string, Bag[], Request, { code: string; message: unknown }][] = [
    [
      "a slide off its grid",
      [planted(0), planted(1, {}, 300)],
      {},
      refused("GEOMETRY_MISMATCH", "their median offset (x 0.335"),
    ],
    [
      "a wrong ratio",
      [planted(0), planted(2)],
      {},
      refused("GEOMETRY_MISMATCH", "span 1792 px, those of bag 1 448 px"),
    ],
    ["two slides", [planted(0), planted(1, { slideId: "t" })], {}, refused("GEOMETRY_MISMATCH", "the slide of bag 0")],
    [
      "options out of bounds",
      [planted(0)],
      { options: { maxOffset: 2 } },
      refused("INVALID_ARGUMENT", "maxOffset is 2"),
    ],
    [
      "more levels than the bags span, saying which option helps",
      [planted(1), planted(2)],
      { options: { levelCount: 3 } },
      refused("GEOMETRY_MISMATCH", "unless levelMpps names all levels"),
    ],
    [
      "named levels that do not halve",
      [planted(0)],
      { options: { levelMpps: [2, 0.5] } },
      refused("INVALID_ARGUMENT", "levelMpps[1] is 0.5; it is half the one before (1)"),
    ],
    [
      "to make up the finest magnification",
      [planted(0), planted(1)],
      { options: { levelMpps: [2, 1, 0.5], surrogateLevels: true } },
      refused("GEOMETRY_MISMATCH", "finer tiles cannot be made up"),
    ],
    [
      "to make up magnifications that nobody named",
      [planted(1), planted(2)],
      { options: { surrogateLevels: true } },
      refused("INVALID_ARGUMENT", "surrogateLevels needs levelMpps or levelCount"),
    ],
    ["no bags", [], {}, refused("INVALID_ARGUMENT", "the number of bags is 0, the bounds are 1 and 5")],
    [
      "a folder elsewhere",
      [planted(0)],
      { regionsUri: "file:///elsewhere" },
      { code: "FORBIDDEN", message: expect.anything() },
    ],
  ];
  it.each(cases)("refuses %s", async (_what, bags, request, error) => {
    await expect(build(await stored(...bags), request)).rejects.toMatchObject(error);
  });

  it("names the field of a reference that is none, and notices another content", async () => {
    const [bag] = (await stored(planted(0))) as [commonV1.BagReference];
    await expect(build([{ ...bag, object: undefined }])).rejects.toThrow("bags[0].object is missing");
    const object = { ...bag.object, sha256: "0".repeat(64) } as commonV1.ObjectReference;
    await expect(build([{ ...bag, object }])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("ends when the caller cancels in the middle, and serves on", async () => {
    const bags = await stored(planted(0, { slideId: "c" }), planted(1, { slideId: "c" }));
    const client = createStageClient(pretrainV1.PretrainServiceDefinition, channel).calls;
    const abort = new AbortController();
    const cancelled = (async () => {
      const request = { bags, regionsUri: `${uri}/regions` };
      for await (const { doneBags } of client.buildRegions(request, { signal: abort.signal })) {
        if (doneBags === 1n) abort.abort();
      }
    })();
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await build(bags)).at(-1)?.report?.cellCount).toBe(12n);
  });
});

function refused(code: string, part: string) {
  return { code, message: expect.stringContaining(part) as unknown };
}
