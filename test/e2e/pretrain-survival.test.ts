import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createRng } from "@parfocal/metrics";
import { pretrainV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { bagReferenceFromRef } from "@parfocal/stage";
import { openStore } from "@parfocal/store";
import { afterEach, describe, expect, it } from "vitest";
import { writeRegionCohort } from "../../libs/training/src/testing/region-cohort.ts";
import { type ServiceProcess, startServiceProcess } from "../lib/services.ts";

const N_UPDATES = 240;

describe("a pretraining on the stage", () => {
  const running: ServiceProcess[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
  });

  const newStore = async () => pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href;
  const start = async (uri: string): Promise<ServiceProcess> => {
    const stage = await startServiceProcess("pretrain", { PARFOCAL_STORE: uri });
    running.push(stage);
    return stage;
  };

  /** Follows a pretraining; gives the digest of what it published, or undefined when the stage went away under it. */
  const follow = async (
    { address }: ServiceProcess,
    request: Parameters<typeof pretrainV1.PretrainRequest.fromPartial>[0],
    onUpdate: (update: number) => void = () => undefined,
  ): Promise<string | undefined> => {
    const client = createStageClient(pretrainV1.PretrainServiceDefinition, address);
    try {
      for await (const { doneSteps, event } of client.calls.pretrain(request)) {
        onUpdate(Number(doneSteps));
        if (event?.$case === "published") return event.value.model?.manifest?.sha256;
      }
      return undefined;
    } catch {
      return undefined;
    } finally {
      client.close();
    }
  };

  it("ends with the same package after the stage or its engine was killed five times", async () => {
    const undisturbed = await newStore();
    const stage = await start(undisturbed);
    const expected = await follow(stage, await requestOn(undisturbed));
    await stage.end("SIGTERM");
    expect(expected).toMatch(/^[0-9a-f]{64}$/u);

    const uri = await newStore();
    const request = await requestOn(uri);
    const rng = createRng(11n);
    const kills = ["engine", "stage", "stage", "engine", "stage"].map((victim, i) => ({
      victim,
      update: Math.floor((N_UPDATES * (i + rng.nextFloat())) / 6),
      delayMs: rng.nextInt(60),
    }));
    const done: string[] = [];
    let found: string | undefined;
    for (let nStarts = 0; found === undefined && nStarts < 5; nStarts++) {
      const service = await start(uri);
      const killings: Promise<void>[] = [];
      found = await follow(service, request, (update) => {
        const [next] = kills;
        if (next === undefined || update < next.update) return;
        kills.shift();
        killings.push(
          sleep(next.delayMs).then(() => {
            done.push(next.victim);
            if (next.victim === "stage") service.process.kill("SIGKILL");
            else for (const pid of childrenOf(service.process.pid)) process.kill(pid, "SIGKILL");
          }),
        );
      });
      await Promise.all(killings);
    }
    expect(done).toEqual(["engine", "stage", "stage", "engine", "stage"]);
    expect(found).toBe(expected);
    const store = openStore(uri);
    await expect(store.head("checkpoints/checkpoint.safetensors")).rejects.toMatchObject({ code: "NOT_FOUND" });
    store.close();
  });
});

/** The processes that a process started. */
function childrenOf(pid: number | undefined): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(/\s+/u).map(Number);
}

/** Plants region bags in a store; gives the request that pretrains on them. */
async function requestOn(uri: string) {
  const store = openStore(uri);
  const bags = await writeRegionCohort(store, { nSlides: 6, side: 5, levelCount: 2, d: 8, seed: 4n });
  const request = {
    regionsUri: `${uri}/regions`,
    packageUri: `${uri}/models/mixer`,
    checkpointUri: `${uri}/checkpoints`,
    seed: 5n,
    bags: bags.map(({ bag, patient = "" }) => ({ bag: bagReferenceFromRef(store, bag), patientKey: patient })),
    spec: {
      mixer: { regionTiles: 2, levelCount: 2, width: 16, depth: 1, heads: 2 },
      masked: { decoderWidth: 24, decoderHeads: 2, decoderDepth: 1 },
      optimiser: { learningRate: 0.02 },
      ...{ batchRegions: 8, microBatchRegions: 4, totalRegions: BigInt(8 * N_UPDATES) },
      ...{ checkpointUpdates: 9, validationFraction: 0.2 },
    },
  };
  store.close();
  return request;
}
