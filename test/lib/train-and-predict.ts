import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "./cohort.ts";
import { metadataOf, PARENT, trainedModel, trainRequest, upload, uploadCohort } from "./requests.ts";
import { type RunningServices, type ServiceEnv, startServices } from "./services.ts";

/**
 * The spine of the system on one store: files become bags, bags a model, the model predictions. The same tests run on every
 * store that `storeEnv` can name, with services however `start` starts them.
 */
export function describeTrainAndPredict(
  name: string,
  storeEnv: () => Promise<ServiceEnv>,
  start: (env: ServiceEnv) => Promise<RunningServices> = startServices,
): void {
  describe(`train and predict on ${name}`, () => {
    const slides = plantCohort(40);
    let services: RunningServices;
    let names: string[];

    beforeAll(async () => {
      services = await start(await storeEnv());
      names = await uploadCohort(services.clients, slides);
    });
    afterAll(async () => {
      await services?.close();
    });

    it("gives the same bag for the same file and says that it was there", async () => {
      const again = await upload(services.clients, slides[0]!.fileName, slides[0]!.bytes);
      expect(again.bag.name).toBe(names[0]);
      expect(again.existed).toBe(true);
    });

    it("lists and finds the bags of the project", async () => {
      const first = await services.clients.bags.listBags({ parent: PARENT, pageSize: 30 });
      const second = await services.clients.bags.listBags({
        parent: PARENT,
        pageSize: 30,
        pageToken: first.nextPageToken,
      });
      expect([...first.bags, ...second.bags].map((bag) => bag.name)).toEqual([...new Set(names)].sort());
      expect(second.nextPageToken).toBe("");
      const { bag } = await services.clients.bags.getBag({ name: names[3]! });
      expect(bag?.info?.slideId).toBe("slide-3");
      expect(bag?.reference?.featureDim).toBe(16);
    });

    it("trains a model whose held-out AUROC is near 1, and predicts with attention", async () => {
      const { clients } = services;
      const operation = await clients.training.train(trainRequest(slides, names));
      const phases: string[] = [];
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        phases.push(metadataOf(state).phase);
      }
      expect(phases.some((phase) => /^epoch \d+ of 12$/.test(phase))).toBe(true);
      const model = await trainedModel(clients, operation);
      expect(model.name).toMatch(/^projects\/test\/models\/tumour\/versions\/[0-9a-f]{32}$/);
      expect(model.head).toBe("gated-abmil");
      expect(model.history).toHaveLength(12);
      expect(model.test?.metrics.find((metric) => metric.name === "auroc")?.value).toBeGreaterThan(0.9);

      const wanted = slides.findIndex(({ label }) => label === "tumour");
      const answer = await clients.prediction.predict({
        model: `${PARENT}/models/tumour`,
        bag: names[wanted]!,
        includeAttention: true,
      });
      expect(answer.model).toBe(model.name);
      expect(answer.prediction?.decision).toEqual(["tumour"]);
      const weights = answer.attention?.weights;
      if (weights?.value?.$case !== "inline") throw new Error("small attention comes inline");
      const values = new Float32Array(Uint8Array.from(weights.value.value).buffer);
      expect(values).toHaveLength(weights.shape[0]!);
      expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    });

    it("moves aliases between versions and refuses to delete the one in production", async () => {
      const { models } = services.clients;
      const alias = `${PARENT}/models/tumour/aliases/production`;
      const { model } = await models.getModel({ name: `${PARENT}/models/tumour` });
      const moved = await models.setAlias({ name: alias, version: model!.name });
      expect(moved.model?.aliases).toEqual(["latest", "production"]);
      const { models: listed } = await models.listModels({ parent: PARENT });
      expect(listed.find(({ name }) => name === model!.name)?.aliases).toEqual(["latest", "production"]);
      expect((await models.getModel({ name: alias })).model?.aliases).toEqual(["latest", "production"]);
      await expect(models.deleteModel({ name: model!.name })).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
      await models.setAlias({ name: alias, version: "", expectedVersion: model!.name });
      await models.deleteModel({ name: model!.name });
      await expect(models.getModel({ name: model!.name })).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(models.getModel({ name: `${PARENT}/models/tumour` })).rejects.toMatchObject({ code: "NOT_FOUND" });
    });
  });
}
