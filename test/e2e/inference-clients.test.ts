import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { bytesOf, testTiles, tilesFile } from "../lib/inference-requests.ts";
import { hasPythonModules, PYTHON } from "../lib/python.ts";
import { PARENT, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

/** A stock Triton client, and a client that knows a service by reflection alone. */
const MODULES = "numpy, tritonclient.grpc, grpc_reflection";
const SCRIPT = fileURLToPath(new URL("./inference_clients.py", import.meta.url));

/** What `inference_clients.py` prints. */
interface Report {
  readonly triton: Readonly<Record<"inline" | "named" | "file" | "halves", Said>> &
    Readonly<Record<"absent" | "misshaped" | "oversized", readonly [status: string, message: string]>> &
    Readonly<Record<"live" | "ready" | "modelReady" | "otherReady", boolean>> & {
      readonly server: string;
      readonly inputs: readonly string[];
      readonly outputs: readonly string[];
      readonly attention: readonly number[];
      readonly coordinates: readonly (readonly number[])[];
    };
  readonly reflection: {
    readonly services: readonly string[];
    readonly differences: readonly string[];
    readonly probabilities: readonly number[];
    readonly labels: readonly string[];
  };
}

interface Said {
  readonly version: string;
  readonly id: string;
  readonly probabilities: readonly number[];
  readonly labels: readonly string[];
  readonly decision: readonly string[];
}

describe.skipIf(!hasPythonModules(MODULES, "inference-clients.test.ts"))("clients of other hands", () => {
  const tiles = testTiles(40, PLANTED_DIM);
  let services: Services;
  let wanted: readonly number[];
  let decision: readonly string[];
  let version: string;
  let report: Report;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-clients-"));
    services = await startServices({
      PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href,
      PARFOCAL_INFERENCE_PROJECT: "test",
      PARFOCAL_IMPORT_ROOTS: pathToFileURL(folder).href,
    });
    const { clients, gatewayAddress } = services;
    const slides = plantCohort(16);
    const names = await uploadCohort(clients, slides);
    const operation = await clients.training.train(trainRequest(slides, names, { epochs: 1 }));
    version = (await trainedModel(clients, operation)).name.split("/").at(-1)!;
    const { bag } = await upload(clients, "tiles.safetensors", tilesFile(tiles));
    const { prediction } = await clients.prediction.predict({ model: `${PARENT}/models/tumour`, bag: bag.name });
    wanted = prediction!.probabilities.map(({ probability }) => probability);
    decision = prediction!.decision;
    await writeFile(join(folder, "features.f32"), bytesOf(tiles.features));
    await writeFile(join(folder, "coords.i32"), bytesOf(tiles.coords));
    await writeFile(join(folder, "size.json"), JSON.stringify([tiles.n, tiles.d]));
    await writeFile(join(folder, "slide.safetensors"), tilesFile(tiles));
    const uri = `${pathToFileURL(folder).href}/slide.safetensors`;
    const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, gatewayAddress, folder, "tumour", bag.name, uri]);
    report = JSON.parse(stdout) as Report;
  });
  afterAll(async () => {
    await services?.close();
  });

  it("a stock Triton client finds the server and its model", () => {
    const { live, ready, modelReady, otherReady, server, inputs, outputs } = report.triton;
    expect({ live, ready, modelReady, otherReady, server }).toEqual({
      ...{ live: true, ready: true, modelReady: true, otherReady: false },
      server: "parfocal",
    });
    expect(inputs).toEqual(["features", "coords", "bag"]);
    expect(outputs).toEqual(["probabilities", "labels", "decision", "attention", "coordinates"]);
  });

  it.each(["inline", "named", "file", "halves"] as const)(
    "a stock Triton client gets Predict's numbers (%s)",
    (way) => {
      const said = report.triton[way];
      expect(said).toMatchObject({ version, labels: ["normal", "tumour"], decision });
      // Half precision keeps eleven bits of each feature.
      const digits = way === "halves" ? 2 : 6;
      for (const [k, probability] of said.probabilities.entries()) expect(probability).toBeCloseTo(wanted[k]!, digits);
      expect(said.id).toMatch(/^a[1-4]$/);
    },
  );

  it("a stock Triton client gets the weights of the tiles and their places", () => {
    const { attention, coordinates } = report.triton;
    expect(attention.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    expect(coordinates.flat()).toEqual([...tiles.coords]);
  });

  it("a stock Triton client is told what was wrong", () => {
    const { absent, misshaped, oversized } = report.triton;
    expect(absent).toEqual(["StatusCode.NOT_FOUND", expect.stringContaining("no such model")]);
    expect(misshaped).toEqual(["StatusCode.FAILED_PRECONDITION", expect.stringMatching(/8.*16|16.*8/)]);
    expect(oversized).toEqual(["StatusCode.RESOURCE_EXHAUSTED", expect.stringMatching(/4194304.*by reference/)]);
  });

  it("a client that knows reflection alone finds the published contract, and asks by it", () => {
    const { services: names, differences, probabilities, labels } = report.reflection;
    expect(names).toContain("inference.GRPCInferenceService");
    expect(differences).toEqual([]);
    expect(labels).toEqual(["normal", "tumour"]);
    for (const [k, probability] of probabilities.entries()) expect(probability).toBeCloseTo(wanted[k]!, 6);
  });
});
