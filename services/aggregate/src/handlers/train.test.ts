import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BagRef, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { createSilentLogger, createStageClient } from "@parfocal/runtime";
import { bagReferenceFromRef } from "@parfocal/stage";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { Metadata } from "nice-grpc-common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aggregateConfigFromEnv, startAggregate } from "../server.ts";

const CLASSES = ["no", "yes"];
const D = 8;

describe("trainings that one stage runs at once", () => {
  const cleanups: (() => unknown)[] = [];
  let train: (asked: { readonly name: string; readonly seed: bigint; readonly requestId: string }) => Promise<string>;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-aggregate-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const { href: uri } = pathToFileURL(folder);
    const store = openStore(uri);
    cleanups.push(() => store.close());
    const bags = await writeCohort(store, 12);
    const env = { PORT: "0", PARFOCAL_STORE: uri, PARFOCAL_THREADS: "1", PARFOCAL_CHECKPOINT_MS: "0" };
    const stage = await startAggregate(aggregateConfigFromEnv(env), createSilentLogger(), env);
    cleanups.push(() => stage.close());
    const client = createStageClient(aggregateV1.AggregateServiceDefinition, stage.server.address);
    cleanups.push(() => client.close());
    train = async ({ name, seed, requestId }) => {
      const metadata = Metadata({ "x-request-id": requestId });
      return digestOf(client.calls.train(requestOf(store, bags, { name, seed }), { metadata }));
    };
  });
  afterAll(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  it("give what each gives alone, also when their callers chose the same request id", async () => {
    const alone = [
      await train({ name: "alone-1", seed: 1n, requestId: "one" }),
      await train({ name: "alone-2", seed: 2n, requestId: "two" }),
    ];
    expect(alone[0]).not.toBe(alone[1]);
    const together = await Promise.all([
      train({ name: "together-1", seed: 1n, requestId: "same" }),
      train({ name: "together-2", seed: 2n, requestId: "same" }),
    ]);
    expect(together).toEqual(alone);
  });
});

/** Bags of which every other one carries a signal in its first tile. */
async function writeCohort(store: ObjectStore, nBags: number): Promise<BagRef[]> {
  return Promise.all(
    Array.from({ length: nBags }, (_, i) => {
      const rng = createRng(3n).fork(`bag ${i}`);
      const n = 6 + rng.nextInt(6);
      const data = Float32Array.from({ length: n * D }, () => rng.normal());
      if (i % 2 === 1) data[0] = 6;
      return writeBag(store, "bags/", { n, d: D, features: { dtype: "F32", data }, metadata: {} });
    }),
  );
}

function requestOf(
  store: ObjectStore,
  bags: readonly BagRef[],
  { name, seed }: { readonly name: string; readonly seed: bigint },
): aggregateV1.TrainRequest {
  return aggregateV1.TrainRequest.fromPartial({
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: CLASSES },
      architecture: { head: { trunk: { hidden: [8] }, kind: { $case: "abmil", value: { attentionWidth: 4 } } } },
      recipe: { epochs: 20, seed, selection: commonV1.Recipe_Selection.SELECTION_LAST },
      split: { validationFraction: 0.2, testFraction: 0.2 },
    },
    bags: bags.map((bag, i) => ({ bag: bagReferenceFromRef(store, bag), labels: [CLASSES[i % 2]!] })),
    packageUri: uriFromKey(store, `projects/test/models/${name}`),
    checkpointUri: uriFromKey(store, `projects/test/checkpoints/${name}`),
  });
}

/** The digest of the package that a training publishes. */
async function digestOf(responses: AsyncIterable<aggregateV1.TrainResponse>): Promise<string> {
  for await (const { event } of responses) {
    if (event?.$case === "published") return event.value.model?.manifest?.sha256 ?? expect.unreachable("no digest");
  }
  return expect.unreachable("nothing was published");
}
