import { randomUUID } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { createRng } from "@parfocal/metrics";
import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { domainErrorFromStatus } from "@parfocal/runtime";
import { openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auditStore } from "./audit-store.ts";
import { readResult } from "./batches.ts";
import { plantCohort } from "./cohort.ts";
import {
  type FaultPlan,
  type FaultProxy,
  type ProxiedRequest,
  type ProxyFault,
  startFaultProxy,
} from "./fault-proxy.ts";
import { PARENT, trainRequest } from "./requests.ts";
import { type Clients, startServices } from "./services.ts";

/** An S3 server behind the proxy. */
export interface Upstream {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  createBucket(): Promise<string>;
  stop(): Promise<void>;
}

/** Codes that a failing store may lead to. INTERNAL is not among them: nothing of this is unforeseen. */
const NAMED: readonly DomainErrorCode[] = [
  ...(["UNREACHABLE", "THROTTLED", "TRUNCATED", "CORRUPT", "FORBIDDEN"] as const),
  ...(["CONFLICT", "PRECONDITION_FAILED", "DEADLINE_EXCEEDED"] as const),
];

/** Tries of one step, as a patient client makes them; the faults end before they are used up. */
const MAX_TRIES = 40;
/** Tries after which the store is well again, so that every step ends. */
const TRIES_WITH_FAULTS = 3;

/** Workflows pause seconds between their tries. */
const TIMEOUT_MS = 600_000;

const status = (code: number, name: string): ProxyFault => ({ kind: "status", status: code, name });
const isObjectRead = ({ method, url }: ProxiedRequest) => method === "GET" && !url.includes("list-type=");

/** Something that goes wrong again and again. */
interface Trouble {
  readonly name: string;
  /** The faults to draw from. */
  readonly faults: readonly ProxyFault[];
  /** The requests that they can happen to; absent: all. */
  readonly matches?: (request: ProxiedRequest) => boolean;
  /** Codes that clients may hear even of a few: what no further try can hide. */
  readonly told?: readonly DomainErrorCode[];
}

const TROUBLES: readonly Trouble[] = [
  { name: "500 and 503", faults: [status(500, "InternalError"), status(503, "SlowDown")] },
  {
    name: "broken connections and lost answers",
    faults: [
      { kind: "reset", isApplied: false },
      { kind: "reset", isApplied: true },
    ],
  },
  {
    name: "slow answers",
    faults: [
      { kind: "slow", ms: 40 },
      { kind: "slow", ms: 120 },
    ],
  },
  { name: "truncated bodies", faults: [{ kind: "truncate" }], matches: ({ method }) => method === "GET" },
  {
    name: "flipped bits",
    faults: [{ kind: "flip" }],
    // Listings and the answers to writes have no digest of ours; TLS keeps them.
    matches: isObjectRead,
    // A bag is found damaged when it has been used, so that Predict cannot simply read on. A damaged header contradicts its reference.
    told: ["CORRUPT", "INVALID_ARGUMENT"],
  },
  {
    name: "412 and 409 without a reason",
    faults: [status(412, "PreconditionFailed"), status(409, "ConditionalRequestConflict")],
    matches: ({ isConditional }) => isConditional,
  },
];

/** What only servers notice that look at the digest of what they are sent. */
const DAMAGED_UPLOADS: Trouble = {
  name: "flipped bits of uploads",
  faults: [{ kind: "flip-request" }],
  matches: ({ method }) => method === "PUT",
};

/** What of the suite a server is put through. */
interface FaultSuiteOptions {
  /** Whether the server refuses bodies that do not have the digest in their signature. */
  readonly checksUploads: boolean;
  /** Whether so much goes wrong, too, that clients hear of it; these rounds take longest, and no server changes them. */
  readonly hasManyRounds: boolean;
}

/** Credentials that are expired for a third of the time, in turns. */
function expiredNowAndThen(turnMs: number): FaultPlan {
  let startMs: number | undefined;
  return () => {
    startMs ??= performance.now();
    return Math.floor((performance.now() - startMs) / turnMs) % 3 === 0 ? status(403, "ExpiredToken") : undefined;
  };
}

/** Draws a fault for a share of the requests, reproducibly but for the order in which they come. */
function drawFaults(seed: bigint, share: number, { faults, matches = () => true }: Trouble): FaultPlan {
  const rng = createRng(seed);
  return (request) => (matches(request) && rng.nextFloat() < share ? faults[rng.nextInt(faults.length)] : undefined);
}

/** What the whole work gave. */
interface Outcome {
  readonly bags: readonly string[];
  readonly version: string;
  /** Of three bags, with the weights of their tiles. */
  readonly predictions: readonly (readonly [probabilities: readonly number[], weights: string])[];
  /** Bag, probability and decision of every row of a batch. */
  readonly scores: readonly (readonly string[])[];
  /** Codes of the errors on the way. */
  readonly errors: readonly string[];
}

/**
 * Import, training, prediction and a batch through real services, while the store behind them fails in every way that stores do: everything ends
 * right, or with an error that has a name, and whatever is published is whole.
 */
export function describeStoreFaults(
  name: string,
  startUpstream: () => Promise<Upstream>,
  { checksUploads, hasManyRounds }: FaultSuiteOptions,
): void {
  const troubles = checksUploads ? [...TROUBLES, DAMAGED_UPLOADS] : TROUBLES;
  describe(`workflows on ${name} that fails`, () => {
    const slides = plantCohort(12);
    let upstream: Upstream;
    let proxy: FaultProxy;
    let folder: string;
    let calm: Outcome;

    beforeAll(async () => {
      upstream = await startUpstream();
      proxy = await startFaultProxy(upstream.endpoint);
      folder = await mkdtemp(join(tmpdir(), "parfocal-faults-"));
      for (const { fileName, bytes } of slides) await writeFile(join(folder, fileName), bytes);
      calm = (await work()).outcome;
      expect(calm.errors).toEqual([]);
    });
    afterAll(async () => {
      await proxy?.stop();
      await upstream?.stop();
    });

    /** The whole work on a bucket of its own; afterwards what its store holds, read past the proxy. */
    async function work(plan?: FaultPlan, settings: Readonly<Record<string, string>> = {}) {
      const bucket = await upstream.createBucket();
      const services = await startServices({
        PARFOCAL_STORE: `s3://${bucket}/hospital`,
        PARFOCAL_S3_ENDPOINT: proxy.endpoint,
        PARFOCAL_S3_RETRY_BASE_MS: "2",
        ...settings,
        PARFOCAL_IMPORT_ROOTS: pathToFileURL(folder).href,
        AWS_ACCESS_KEY_ID: upstream.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: upstream.credentials.secretAccessKey,
      });
      try {
        const uris = slides.map(({ fileName }) => `${pathToFileURL(folder).href}/${fileName}`);
        const outcome = await workThrough(services.clients, uris, slides, proxy, plan);
        const store = openStore(`s3://${bucket}/hospital`, {
          endpoint: upstream.endpoint,
          credentials: upstream.credentials,
        });
        return { outcome, audit: await auditStore(store).finally(() => store.close()) };
      } finally {
        proxy.setPlan();
        await services.close();
      }
    }

    function expectWhole({ outcome, audit }: Awaited<ReturnType<typeof work>>): void {
      expect(audit.problems).toEqual([]);
      expect(audit.leftovers).toEqual([]);
      expect(audit.bags.toSorted()).toEqual(calm.bags.toSorted());
      expect(audit.versions).toEqual([outcome.version]);
      const { bags, predictions, scores } = outcome;
      expect({ bags, predictions, scores }).toEqual({
        ...{ bags: calm.bags, predictions: calm.predictions, scores: calm.scores },
      });
    }

    it.each(troubles)("does not feel a few $name", async (trouble) => {
      const result = await work(drawFaults(11n, 0.1, trouble), { PARFOCAL_S3_MAX_ATTEMPTS: "8" });
      expectWhole(result);
      for (const code of result.outcome.errors) expect(trouble.told ?? []).toContain(code);
    });

    // Waiting longer is all that slowness does.
    it.each(hasManyRounds ? troubles.filter(({ name }) => name !== "slow answers") : [])(
      "ends right or with a named error under many $name",
      { timeout: TIMEOUT_MS },
      async (trouble) => {
        const result = await work(drawFaults(13n, 0.2, trouble), { PARFOCAL_S3_MAX_ATTEMPTS: "2" });
        expectWhole(result);
        for (const code of result.outcome.errors) expect([...NAMED, ...(trouble.told ?? [])]).toContain(code);
      },
    );

    it("says so when its credentials have expired, and goes on when they are renewed", async () => {
      const result = await work(expiredNowAndThen(400));
      expectWhole(result);
      expect(result.outcome.errors).toContain("FORBIDDEN");
      for (const code of result.outcome.errors) expect(NAMED).toContain(code);
    });
  });
}

/** Import, train, predict, score a manifest; every step again until it succeeds. */
async function workThrough(
  clients: Clients,
  uris: readonly string[],
  slides: Parameters<typeof trainRequest>[0],
  proxy: FaultProxy,
  plan: FaultPlan | undefined,
): Promise<Outcome> {
  const errors: string[] = [];
  const insist = async <T>(step: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      proxy.setPlan(attempt <= TRIES_WITH_FAULTS ? plan : undefined);
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof DomainError) || attempt === MAX_TRIES) throw error;
        errors.push(error.code);
      }
    }
  };
  const bags = await insist(async () => {
    const started = await clients.bags.importBags({ parent: PARENT, uris: [...uris] });
    const response = await responseOf(clients, started);
    return gatewayV1.ImportBagsResponse.decode(response).bags.map(({ result }) => {
      if (result?.$case === "bag") return result.value.name;
      throw new DomainError(result?.value.code as DomainErrorCode, result?.value.message ?? "");
    });
  });
  const version = await insist(
    startedTraining(clients, (requestId) => trainRequest(slides, bags, { epochs: 2, requestId })),
  );
  const predictions: Outcome["predictions"][number][] = [];
  for (const bag of bags.slice(0, 3)) {
    const asked = { model: `${PARENT}/models/tumour`, bag, includeAttention: true };
    const { prediction, attention } = await insist(() => clients.prediction.predict(asked));
    const weights = attention?.weights?.value?.$case === "inline" ? attention.weights.value.value.toString("hex") : "";
    predictions.push([prediction?.probabilities.map(({ probability }) => probability) ?? [], weights]);
  }
  const batch = await insist(startedBatch(clients, proxy, await writeManifest(uris, bags), errors));
  proxy.setPlan();
  const rows = await readResult(clients, batch, "predictions.csv");
  const scores = rows.map((row) => [row.bag ?? "", row.probability_tumour ?? "", row.decision ?? ""]);
  return { bags, version, predictions, scores, errors };
}

/** Writes the manifest of a batch beside the files of the import; gives its URI. */
async function writeManifest(uris: readonly string[], bags: readonly string[]): Promise<string> {
  const uri = new URL("batch.csv", uris[0]);
  await writeFile(uri, `bag\n${bags.join("\n")}\n`);
  return uri.href;
}

/**
 * A step that trains and gives the version's name. A call that failed tells nothing of the operation, so the next try asks for the same
 * one; another is started when it has failed itself.
 */
function startedTraining(clients: Clients, requestOf: (requestId: string) => gatewayV1.TrainRequest) {
  let requestId = randomUUID();
  return async (): Promise<string> => {
    const { name } = await clients.training.train(requestOf(requestId));
    const { result } = await clients.operations.waitOperation({ name }, { timeoutMs: 120_000 });
    if (result?.$case === "error") requestId = randomUUID();
    return gatewayV1.GetModelResponse.decode(responseIn(result)).model?.name ?? "";
  };
}

/** A step that scores a manifest, or what the try before it did not score; gives the operation of which every row was scored. */
function startedBatch(clients: Clients, proxy: FaultProxy, manifestUri: string, errors: string[]) {
  let retryOf = "";
  return async (): Promise<string> => {
    const what = retryOf === "" ? { models: [`${PARENT}/models/tumour`], manifestUri } : { retryOf };
    const operation = await clients.prediction.batchPredict({ parent: PARENT, ...what });
    const { failedCount } = gatewayV1.BatchPredictResponse.decode(await responseOf(clients, operation));
    if (failedCount === 0n) return operation.name;
    retryOf = operation.name;
    proxy.setPlan();
    const failures = await readResult(clients, operation.name, "failures.csv");
    errors.push(...failures.map(({ code = "" }) => code));
    throw new DomainError("UNREACHABLE", `${failedCount} rows were not scored`);
  };
}

/** Waits for an operation, asking again when the answer is lost; throws what it failed with. */
async function responseOf(clients: Clients, { name }: googleLongrunning.Operation): Promise<Uint8Array> {
  const { result } = await clients.operations.waitOperation({ name }, { timeoutMs: 120_000 });
  return responseIn(result);
}

function responseIn(result: googleLongrunning.Operation["result"]): Uint8Array {
  if (result?.$case === "response") return result.value.value;
  throw result === undefined ? new Error("the operation is not done") : domainErrorFromStatus(result.value);
}
