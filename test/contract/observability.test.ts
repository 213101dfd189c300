import { mkdtemp } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type gatewayV1, grpcHealthV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { Metadata } from "nice-grpc-common";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { createClients, type ServiceEnv, type ServiceProcess, startServiceProcess } from "../lib/services.ts";

const { SERVING, NOT_SERVING } = grpcHealthV1.HealthCheckResponse_ServingStatus;
const TRACE = "0af7651916cd43dd8448eb211c80319c";

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

/** A collector that keeps what it is sent. */
async function startCollector(): Promise<{ readonly url: string; readonly spans: Span[]; readonly server: Server }> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as {
        resourceSpans: {
          resource: { attributes: Span["attributes"] };
          scopeSpans: { spans: Omit<Span, "service">[] }[];
        }[];
      };
      for (const { resource, scopeSpans } of body.resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service });
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, server };
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A service, its metrics and the lines of its log. */
async function start(name: "gateway" | "aggregate", env: ServiceEnv) {
  const metricsPort = await freePort();
  const service = await startServiceProcess(name, { ...env, PARFOCAL_METRICS_PORT: String(metricsPort) });
  let text = "";
  service.process.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return {
    service,
    lines: () =>
      text
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    get: async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`);
      return { status: response.status, text: await response.text() };
    },
  };
}

async function newStore(): Promise<ServiceEnv> {
  return { PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-observed-"))).href };
}

describe("what can be seen of services at work", () => {
  const slides = plantCohort(16);
  let collector: Awaited<ReturnType<typeof startCollector>>;
  let aggregate: Awaited<ReturnType<typeof start>>;
  let gateway: Awaited<ReturnType<typeof start>>;
  let names: string[];
  let model: gatewayV1.Model;
  let operation: string;

  beforeAll(async () => {
    collector = await startCollector();
    const env = { ...(await newStore()), PARFOCAL_OTLP_ENDPOINT: collector.url, PARFOCAL_LOG_LEVEL: "debug" };
    aggregate = await start("aggregate", env);
    const address = { PARFOCAL_AGGREGATE_ADDRESS: aggregate.service.address };
    gateway = await start("gateway", { ...env, ...address, PARFOCAL_REQUIRED_STAGES: "aggregate" });
    const clients = createClients(gateway.service.address);
    names = await uploadCohort(clients, slides);
    const started = await clients.training.train(trainRequest(slides, names, { epochs: 2 }));
    operation = started.name.split("/").at(-1)!;
    model = await trainedModel(clients, started);
    const metadata = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    await clients.prediction.predict({ model: model.name, bag: names[0]! }, { metadata: Metadata(metadata) });
    await clients.prediction.predict({ model: model.name, bag: names[0]! });
    clients.channel.close();
  });
  afterAll(async () => {
    await gateway?.service.end("SIGKILL");
    await aggregate?.service.end("SIGKILL");
    collector?.server.close();
    collector?.server.closeAllConnections();
  });

  it("are numbers of calls, operations, bytes and stages on the gateway", async () => {
    const { text } = await gateway.get("/metrics");
    expect(text).toMatch(
      /parfocal_stage_seconds_count\{service="parfocal.aggregate.v1.AggregateService",method="Predict",code="OK"\} 2/,
    );
    expect(text).toMatch(/parfocal_operations_finished_total\{verb="train",code="OK"\} 1/);
    expect(text).toMatch(/parfocal_operations_running\{verb="train"\} 0/);
    expect(text).toMatch(/parfocal_store_bytes_total\{direction="written"\} [1-9]/);
    expect(text).toMatch(
      /parfocal_store_failures_total\{action="head",code="NOT_FOUND"\} [1-9]|parfocal_store_seconds_count\{action="head"\} [1-9]/,
    );
  });

  it("are numbers of engine, caches and store on the stage", async () => {
    const { text } = await aggregate.get("/metrics");
    expect(text).toMatch(/parfocal_engine_run_seconds_count [1-9]/);
    expect(text).toMatch(/parfocal_engine_wait_seconds_count [1-9]/);
    expect(text).toMatch(/parfocal_engine_queued 0/);
    expect(text).toMatch(/parfocal_engine_sessions_created [1-9]/);
    expect(text).toMatch(/parfocal_engine_cache_hits [1-9]/);
    expect(text).toMatch(/parfocal_engine_cache_misses [1-9]/);
    expect(text).toMatch(/parfocal_engine_store_read_bytes [1-9]/);
    expect(text).toMatch(/parfocal_cache_lookups_total\{cache="model",result="miss"\} 1/);
    expect(text).toMatch(/parfocal_cache_lookups_total\{cache="model",result="hit"\} [1-9]/);
    expect(text).toMatch(/parfocal_store_bytes_total\{direction="written"\} [1-9]/);
  });

  it("are labels of closed lists, which name nobody and nothing", async () => {
    const texts = [(await gateway.get("/metrics")).text, (await aggregate.get("/metrics")).text].join("");
    const bag = names[0]!.split("/").at(-1)!;
    for (const secret of ["projects/", bag, operation, "tumour", slides[0]!.fileName, slides[0]!.patient]) {
      expect(texts).not.toContain(secret);
    }
    const series = texts.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(series.length).toBeLessThan(5000);
  });

  it("is one trace from the caller through gateway and stage down to engine and store", async () => {
    const spansOf = () => collector.spans.filter(({ traceId }) => traceId === TRACE);
    await vi.waitFor(() => expect(spansOf().map(({ name }) => name)).toContain("engine run"), {
      timeout: 30_000,
      interval: 200,
    });
    await vi.waitFor(() => expect(new Set(spansOf().map(({ service }) => service)).size).toBe(2), {
      timeout: 30_000,
      interval: 200,
    });
    const spans = spansOf();
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const wayOf = (span: Span): string[] => {
      const parent = byId.get(span.parentSpanId ?? "");
      return [...(parent === undefined ? [] : wayOf(parent)), `${span.service} ${span.name}`];
    };
    expect(wayOf(spans.find(({ name }) => name === "engine run")!)).toEqual([
      "parfocal-gateway parfocal.gateway.v1.PredictionService/Predict",
      "parfocal-gateway parfocal.aggregate.v1.AggregateService/Predict",
      "parfocal-aggregate parfocal.aggregate.v1.AggregateService/Predict",
      "parfocal-aggregate engine run",
    ]);
    const stores = spans.filter(({ name }) => name.startsWith("store "));
    expect(stores.length).toBeGreaterThan(0);
    for (const span of stores) expect(wayOf(span).length).toBeGreaterThan(1);
    expect(JSON.stringify(spans)).not.toContain("projects/");
  });

  it("is one trace for an operation, whose id stands on its spans and on every line of the log, in the stage too", async () => {
    await vi.waitFor(
      () => {
        const root = collector.spans.find(({ name }) => name === "operation train");
        const inStage = collector.spans.filter(
          ({ traceId, service }) => traceId === root?.traceId && service === "parfocal-aggregate",
        );
        expect(inStage.map(({ name }) => name)).toContain("parfocal.aggregate.v1.AggregateService/Train");
      },
      { timeout: 30_000, interval: 200 },
    );
    const ofOperation = gateway.lines().filter((line) => line.operation === operation);
    expect(ofOperation.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["operation runs", "operation has ended"]),
    );
    expect(ofOperation.find(({ event }) => event === "operation has ended")).toMatchObject({
      verb: "train",
      code: "OK",
    });
    const train = aggregate.lines().filter(({ method }) => String(method).endsWith("/Train"));
    expect(train.length).toBeGreaterThan(0);
    for (const line of train) expect(line.operation).toBe(operation);
  });
});

describe("readiness of a gateway", () => {
  const running: ServiceProcess[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
  });

  it("comes and goes with the stages it needs, and watchers hear of it; liveness stays", async () => {
    const env = await newStore();
    const port = await freePort();
    const gateway = await start("gateway", {
      ...{ ...env, PARFOCAL_AGGREGATE_ADDRESS: `127.0.0.1:${port}`, PARFOCAL_REQUIRED_STAGES: "aggregate" },
      PARFOCAL_READINESS_MS: "100",
    });
    running.push(gateway.service);
    const health = createStageClient(grpcHealthV1.HealthDefinition, gateway.service.address);
    const watch = health.calls.watch({ service: "parfocal.gateway.v1.PredictionService" })[Symbol.asyncIterator]();
    const next = async () => ((await watch.next()).value as grpcHealthV1.HealthCheckResponse).status;
    expect(await next()).toBe(NOT_SERVING);
    expect([(await gateway.get("/livez")).status, (await gateway.get("/readyz")).status]).toEqual([200, 503]);
    expect((await health.calls.check({ service: "liveness" })).status).toBe(SERVING);
    const aggregate = await startServiceProcess("aggregate", { ...env, PORT: String(port) });
    running.push(aggregate);
    expect(await next()).toBe(SERVING);
    expect((await gateway.get("/readyz")).status).toBe(200);
    await aggregate.end("SIGKILL");
    expect(await next()).toBe(NOT_SERVING);
    expect([(await gateway.get("/livez")).status, (await gateway.get("/readyz")).status]).toEqual([200, 503]);
    const told = gateway.lines().filter(({ event }) => String(event).includes("stage aggregate"));
    expect(told.map(({ event }) => event)).toEqual(["ready again: stage aggregate", "not ready: stage aggregate"]);
    await watch.return?.(undefined);
    health.close();
  });

  it("needs the store alone where no stage is required", async () => {
    const gateway = await start("gateway", { ...(await newStore()), PARFOCAL_REQUIRED_STAGES: "none" });
    running.push(gateway.service);
    expect((await gateway.get("/readyz")).status).toBe(200);
  });
});
