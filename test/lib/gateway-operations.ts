import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "./cohort.ts";
import { engineTicks, REST_MS, untilEnginesRest } from "./engine-rest.ts";
import { metadataOf, PARENT, trainedModel, trainRequest, uploadCohort } from "./requests.ts";
import { type ServiceEnv, type Services, startServices } from "./services.ts";

const REQUEST_ID = "5a1f2c34-7b1d-4f0e-9a54-0d0f6b1c2d3e";
/** Status CANCELLED of gRPC. */
const CANCELLED = 1;

/** Operations as clients of the gateway see them. The same tests run on every driver that `env` can choose. */
export function describeGatewayOperations(name: string, env: () => Promise<ServiceEnv>): void {
  describe(`operations through the gateway, ${name}`, () => {
    const slides = plantCohort(24);
    let services: Services;
    let names: string[];

    beforeAll(async () => {
      services = await startServices(await env());
      names = await uploadCohort(services.clients, slides);
    });
    afterAll(async () => {
      await services?.close();
    });

    it("gives the same operation for the same request id and body, and refuses another body", async () => {
      const { clients } = services;
      const request = trainRequest(slides, names, { requestId: REQUEST_ID, epochs: 2 });
      const [first, second] = await Promise.all([clients.training.train(request), clients.training.train(request)]);
      expect(second.name).toBe(first.name);
      const model = await trainedModel(clients, first);
      expect([first, await clients.operations.getOperation(first)].map((each) => metadataOf(each).target)).toEqual([
        model.name,
        model.name,
      ]);
      expect((await clients.training.train(request)).done).toBe(true);
      const other = trainRequest(slides, names, { requestId: REQUEST_ID, epochs: 3 });
      await expect(clients.training.train(other)).rejects.toMatchObject({ code: "CONFLICT" });
    });

    it("cancels a training, all the way into the engine", async () => {
      const { clients } = services;
      const operation = await clients.training.train(trainRequest(slides, names, { modelId: "long", epochs: 5000 }));
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        if (metadataOf(state).phase.startsWith("epoch")) break;
      }
      expect(engineTicks()).toBeGreaterThan(0);
      const cancelledMs = performance.now();
      await clients.operations.cancelOperation({ name: operation.name });
      const done = await clients.operations.waitOperation({ name: operation.name }, { timeoutMs: 10_000 });
      expect(done.done).toBe(true);
      expect(done.result).toMatchObject({ $case: "error", value: { code: CANCELLED } });
      await expect(clients.models.getModel({ name: `${PARENT}/models/long` })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      await untilEnginesRest();
      expect(performance.now() - cancelledMs).toBeLessThan(2_000 + REST_MS);
      // The engine is free at once: a prediction-sized training on the same stage goes through.
      await trainedModel(
        clients,
        await clients.training.train(trainRequest(slides, names, { modelId: "after", epochs: 1 })),
      );
    });

    it("lists with filter and pages, deletes what is done and nothing that runs", async () => {
      const { operations, training } = services.clients;
      const filter = 'verb="train" AND done=true';
      const page = await operations.listOperations({ name: PARENT, pageSize: 1, filter });
      expect(page.operations).toHaveLength(1);
      expect(page.nextPageToken).not.toBe("");
      const rest = await operations.listOperations({
        name: PARENT,
        pageSize: 100,
        filter,
        pageToken: page.nextPageToken,
      });
      expect(rest.operations.every(({ done }) => done)).toBe(true);
      await operations.deleteOperation({ name: page.operations[0]!.name });
      await expect(operations.getOperation({ name: page.operations[0]!.name })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      const running = await training.train(trainRequest(slides, names, { modelId: "busy", epochs: 5000 }));
      await expect(operations.deleteOperation({ name: running.name })).rejects.toMatchObject({
        code: "PRECONDITION_FAILED",
      });
      await operations.cancelOperation({ name: running.name });
      await expect(operations.listOperations({ name: PARENT, filter: "owner=me" })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    });

    it("continues a watch after a sequence", async () => {
      const { training, watching } = services.clients;
      const operation = await training.train(trainRequest(slides, names, { modelId: "watched", epochs: 30 }));
      const sequences: bigint[] = [];
      for await (const { operation: state } of watching.watchOperation({ name: operation.name })) {
        sequences.push(metadataOf(state).sequence);
        if (sequences.length === 3) break;
      }
      const after = sequences.at(-1)!;
      for await (const { operation: state } of watching.watchOperation({
        name: operation.name,
        afterSequence: after,
      })) {
        if (!state?.done) expect(metadataOf(state).sequence).toBeGreaterThan(after);
        sequences.push(metadataOf(state).sequence);
      }
      expect(sequences).toEqual(sequences.toSorted((a, b) => Number(a - b)));
    });
  });
}
