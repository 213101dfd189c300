import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { runCli } from "../lib/run-cli.ts";
import { type Services, startServices } from "../lib/services.ts";

const slides = plantCohort(12);
let folder: string;
let services: Services;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
  services = await startServices({ PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href });
  const names = await uploadCohort(services.clients, slides);
  const training = services.clients.training.train(trainRequest(slides, names, { epochs: 1 }));
  await trainedModel(services.clients, await training);
});
afterAll(async () => {
  await services?.close();
  await rm(folder, { recursive: true, force: true });
});

it("writes the scores of a bag without coordinates as tables that name tiles by their row", async () => {
  const args = [
    "predict",
    "--model",
    "tumour",
    "slide-0",
    "--heatmaps",
    "maps",
    "--top-tiles",
    "2",
    "--project",
    "test",
  ];
  const { code, stderr } = await runCli([...args, "--gateway", services.gatewayAddress, "--json"], folder);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("1 bag without coordinates: no map was drawn, tables name tiles by their row");
  const maps = join(folder, "maps");
  expect((await readdir(maps)).sort()).toEqual(["about.txt", "slide-0.tiles.parquet", "slide-0.top-tiles.csv"]);
  const { buffer } = Uint8Array.from(await readFile(join(maps, "slide-0.tiles.parquet")));
  const rows = await parquetReadObjects({ file: buffer });
  expect(rows.map(({ tile }) => Number(tile))).toEqual(rows.map((_, i) => i));
  expect(rows.reduce((sum, { score }) => sum + Number(score), 0)).toBeCloseTo(1, 5);
  const best = rows.toSorted((a, b) => Number(b.score) - Number(a.score))[0];
  const [heading, first, ...others] = (await readFile(join(maps, "slide-0.top-tiles.csv"), "utf8"))
    .trim()
    .split(/\r?\n/);
  expect(heading).toBe("map,end,rank,tile,x,y,side,unit,score,percentile,times_even");
  expect(first).toMatch(new RegExp(`^all classes,top,1,${Number(best?.tile)},,,,,0\\.`));
  expect(others).toHaveLength(3);
});
