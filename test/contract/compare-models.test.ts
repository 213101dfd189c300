import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const { METHOD_DELONG, METHOD_MCNEMAR, METHOD_PAIRED_BOOTSTRAP } = gatewayV1.ModelComparison_Method;

describe("comparing models", () => {
  const slides = plantCohort(40);
  let services: Services;
  let names: string[];
  let versions: string[];

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-compare-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    names = await uploadCohort(services.clients, slides);
    versions = [];
    for (const [modelId, epochs] of [
      ["long", 12],
      ["short", 1],
    ] as const) {
      const request = trainRequest(slides, names, { modelId, epochs });
      versions.push((await trainedModel(services.clients, await services.clients.training.train(request))).name);
    }
  });
  afterAll(async () => {
    await services?.close();
  });

  const labelledBags = (patientOf: (i: number) => string) =>
    slides.map(({ label }, i) =>
      gatewayV1.LabelledBag.fromPartial({ bag: names[i] ?? "", labels: [label], patientId: patientOf(i) }),
    );
  const compare = (request: Partial<gatewayV1.CompareModelsRequest>) =>
    services.clients.models.compareModels({ names: versions, bags: [], labelledBags: [], ...request });

  it("tests every metric on the same bags, AUROC by DeLong and accuracy by McNemar", async () => {
    const answer = await compare({ labelledBags: labelledBags((i) => `patient ${i}`) });
    expect(answer.names).toEqual(versions);
    const auroc = answer.comparisons.find(({ metric }) => metric === "auroc");
    expect(auroc).toMatchObject({ first: 0, second: 1, method: METHOD_DELONG });
    const [long, short] = answer.evaluations.map(({ metrics }) => metrics.find(({ name }) => name === "auroc")?.value);
    expect(auroc?.difference).toBeCloseTo((long ?? Number.NaN) - (short ?? Number.NaN), 12);
    expect(auroc?.adjustedPValue).toBe(auroc?.pValue);
    const methods = Object.fromEntries(answer.comparisons.map(({ metric, method }) => [metric, method]));
    expect(methods).toMatchObject({ accuracy: METHOD_MCNEMAR, brier: METHOD_PAIRED_BOOTSTRAP });
    expect(await compare({ labelledBags: labelledBags((i) => `patient ${i}`) })).toEqual(answer);
  });

  it("draws patients where they have several slides", async () => {
    const { comparisons, evaluations } = await compare({ labelledBags: labelledBags((i) => `patient ${i >> 1}`) });
    expect(new Set(comparisons.map(({ method }) => method))).toEqual(new Set([METHOD_PAIRED_BOOTSTRAP]));
    expect(evaluations[0]).toMatchObject({ slideCount: 40, patientCount: 20 });
  });

  it("refuses what cannot be compared, naming the field", async () => {
    const bags = labelledBags((i) => `patient ${i}`);
    const [first = "", second = ""] = versions;
    const details = (field: string) => ({ details: { field } });
    await expect(compare({ names: [first], labelledBags: bags })).rejects.toThrow("names has 1 entries; it is 2 to 32");
    await expect(compare({ labelledBags: [] })).rejects.toThrow("labelled_bags has 0 entries; it is 1 to 10000");
    await expect(compare({ names: [first, first], labelledBags: bags })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      ...details("names[1]"),
    });
    const elsewhere = second.replace(PARENT, "projects/other");
    await expect(compare({ names: [first, elsewhere], labelledBags: bags })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await expect(compare({ labelledBags: [...bags, ...bags.slice(0, 1)] })).rejects.toMatchObject(
      details("labelled_bags[40].bag"),
    );
    // Uploaded as bare arrays: no file brought a label.
    await expect(compare({ bags: names.slice(0, 1) })).rejects.toMatchObject(details("bags[0]"));
  });
});
