import { type Bag, writeBag } from "@parfocal/bags";
import { commonV1, gatewayV1, type googleLongrunning, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { createMemoryStore } from "@parfocal/store";
import { createEmbeddedDriver, type WorkflowContext } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createBagCatalog } from "../catalog/bag-catalog.ts";
import { keys } from "../catalog/keys.ts";
import { createModelCatalog } from "../catalog/model-catalog.ts";
import { createSourceRoots } from "../imports/source-roots.ts";
import { createBatchPredict } from "./batch-predict.ts";
import { createBuildRegions } from "./build-regions.ts";
import { createCrossValidate } from "./cross-validate.ts";
import { createImportBags } from "./import-bags.ts";
import { createImportModel } from "./import-model.ts";
import { createPretrain } from "./pretrain.ts";
import { createTrain } from "./train.ts";

const REQUEST_ID = "0b7e7d0e-6a53-4d43-9a0c-2f6ad6c0b0c1";
const UPLOAD = "projects/p/uploads/u";
const VERSION = "projects/p/models/m/versions/v";
const parent = "projects/p";

/** A gateway without stages, whose operations do nothing: how a request is taken is all that shows. */
async function openGateway() {
  const store = createMemoryStore();
  const [bags, models] = [createBagCatalog(store), createModelCatalog(store)];
  const nothing = ({ step }: WorkflowContext) => step("nothing", async () => null);
  const kinds = ["train", "cross-validate", "pretrain", "build-regions", "import", "import-model", "batch"];
  const registry = Object.fromEntries(kinds.map((kind) => [kind, nothing]));
  const operations = await createEmbeddedDriver({ store, registry });
  const names = [await enterBag(0), await enterBag(1)];
  await store.put(keys.upload("p", "u"), new Uint8Array(1));
  await store.put(`${keys.packageFolder("p", "m", "v")}/manifest.json`, new Uint8Array(1));
  const model = { name: VERSION, head: "abmil", task: {}, reference: {} };
  await models.publish("p", "m", "v", gatewayV1.Model.fromPartial(model));

  async function enterBag(value: number): Promise<string> {
    const features: Bag["features"] = { dtype: "F32", data: Float32Array.of(value) };
    const bag: Bag = { n: 1, d: 1, features, metadata: { levelCount: 1 } };
    const ref = await writeBag(store, keys.bagPrefix("p"), bag);
    await bags.add("p", { ref, metadata: bag.metadata });
    return resourceName("bag", { project: "p", bag: ref.digest });
  }

  /** Takes away whatever requests name. */
  async function loseAll(): Promise<void> {
    for (const name of names) await bags.delete("p", name.split("/").at(-1) ?? "");
    await store.delete(keys.upload("p", "u"));
  }
  return { deps: { store, bags, models, operations }, names, loseAll };
}

type Gateway = Awaited<ReturnType<typeof openGateway>>;

/** Takes a request with this id and, in its place for it, this number. */
type Ask = (gateway: Gateway, requestId: string, change: number) => Promise<googleLongrunning.Operation>;

const context = { signal: new AbortController().signal } as HandlerContext;
const roots = createSourceRoots(["file:///data"], {});
const noRoots = createSourceRoots([], {});
const spec = commonV1.TrainingSpec.fromPartial({ task: { classes: ["a", "b"] } });
const labelled = ({ names }: Gateway) => names.map((bag) => ({ bag }));
/** Before and after the operator took the import roots away. */
const isLater = new WeakSet<Gateway>();
const rootsOf = (gateway: Gateway) => (isLater.has(gateway) ? noRoots : roots);

const ASKS: readonly (readonly [string, Ask])[] = [
  [
    "Train",
    (gateway, requestId, change) => {
      const request = { parent, modelId: `m${change}`, bags: labelled(gateway), spec, requestId };
      return createTrain(gateway.deps)(gatewayV1.TrainRequest.fromPartial(request), context);
    },
  ],
  [
    "CrossValidate",
    (gateway, requestId, change) => {
      const request = { parent, bags: labelled(gateway), spec, folds: 2 + change, requestId };
      return createCrossValidate(gateway.deps)(gatewayV1.CrossValidateRequest.fromPartial(request), context);
    },
  ],
  [
    "Pretrain",
    (gateway, requestId, change) => {
      const request = {
        parent,
        modelId: `m${change}`,
        bags: gateway.names,
        spec: { mixer: { levelCount: 1 } },
        requestId,
      };
      return createPretrain(gateway.deps)(gatewayV1.PretrainRequest.fromPartial(request), context);
    },
  ],
  [
    "BuildRegions",
    (gateway, requestId, change) => {
      const slides = [{ bags: gateway.names }];
      const request = { parent, slides, options: { maxOffset: change / 10 }, requestId };
      return createBuildRegions(gateway.deps)(gatewayV1.BuildRegionsRequest.fromPartial(request), context);
    },
  ],
  [
    "ImportBags",
    (gateway, requestId, change) => {
      const request = gatewayV1.ImportBagsRequest.fromPartial({ parent, uris: [`file:///data/${change}`], requestId });
      return createImportBags(gateway.deps, rootsOf(gateway))(request);
    },
  ],
  [
    "ImportModel of an upload",
    (gateway, requestId, change) => {
      const request = { parent, modelId: `m${change}`, upload: UPLOAD, requestId };
      return createImportModel(gateway.deps, rootsOf(gateway))(
        gatewayV1.ImportModelRequest.fromPartial(request),
        context,
      );
    },
  ],
  [
    "BatchPredict",
    (gateway, requestId, change) => {
      const models = [change === 1 ? VERSION : "projects/p/models/m"];
      const request = { parent, models, manifestUpload: UPLOAD, requestId };
      return createBatchPredict(gateway.deps, rootsOf(gateway))(
        gatewayV1.BatchPredictRequest.fromPartial(request),
        context,
      );
    },
  ],
];

describe("a request that starts an operation", () => {
  it.each(ASKS)("is answered by the same operation when what it named is gone: %s", async (_, ask) => {
    const gateway = await openGateway();
    const { name } = await ask(gateway, REQUEST_ID, 1);
    await gateway.loseAll();
    isLater.add(gateway);
    expect((await ask(gateway, REQUEST_ID, 1)).name).toBe(name);
    expect((await ask(gateway, REQUEST_ID.toUpperCase(), 1)).name).toBe(name);
    await gateway.deps.operations.close();
  });

  it.each(ASKS)("is refused by CONFLICT when its id was used for another: %s", async (_, ask) => {
    const gateway = await openGateway();
    await ask(gateway, REQUEST_ID, 1);
    await gateway.loseAll();
    isLater.add(gateway);
    await expect(ask(gateway, REQUEST_ID, 2)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("with another input") as string,
    });
    await gateway.deps.operations.close();
  });

  it.each(ASKS)("is checked when its id is new, and leaves nothing: %s", async (_, ask) => {
    const gateway = await openGateway();
    await gateway.loseAll();
    isLater.add(gateway);
    for (const requestId of ["", REQUEST_ID]) {
      await expect(ask(gateway, requestId, 1)).rejects.toMatchObject({
        code: expect.stringMatching(/^(NOT_FOUND|FORBIDDEN)$/) as string,
      });
    }
    expect((await gateway.deps.operations.list("p", { pageSize: 5 })).operations).toEqual([]);
    await gateway.deps.operations.close();
  });

  it("is refused by CONFLICT when its id was used for another kind", async () => {
    const gateway = await openGateway();
    const [[, train], ...others] = ASKS as [(typeof ASKS)[number], ...typeof ASKS];
    await train(gateway, REQUEST_ID, 1);
    await gateway.loseAll();
    for (const [, ask] of others) {
      await expect(ask(gateway, REQUEST_ID, 1)).rejects.toMatchObject({
        code: "CONFLICT",
        message: expect.stringContaining('used for a "train" operation, not for') as string,
      });
    }
    await gateway.deps.operations.close();
  });
});
