import { DomainError } from "@parfocal/errors";
import { grpcHealthV1 } from "@parfocal/protocol";
import { type Channel, type Client, createChannel, createClient, Status } from "nice-grpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSilentLogger } from "../telemetry/logger.ts";
import { startEchoServer } from "../testing/echo-server.ts";
import { createReadiness } from "./readiness.ts";
import type { RunningServer } from "./start-server.ts";

const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = grpcHealthV1.HealthCheckResponse_ServingStatus;
const BAGS = "parfocal.gateway.v1.BagService";

let server: RunningServer;
let channel: Channel;
let health: Client<typeof grpcHealthV1.HealthDefinition>;

beforeEach(async () => {
  server = await startEchoServer();
  channel = createChannel(server.address);
  health = createClient(grpcHealthV1.HealthDefinition, channel);
});

afterEach(async () => {
  channel.close();
  await server.stop({ drainMs: 0 });
});

/** The next status of a watch. */
async function next(watch: AsyncIterator<grpcHealthV1.HealthCheckResponse, unknown>) {
  const result = await watch.next();
  return result.done ? undefined : result.value.status;
}

function watchOf(service: string) {
  return health.watch({ service })[Symbol.asyncIterator]();
}

describe("grpc.health.v1", () => {
  it("checks the whole server and each service", async () => {
    expect(await health.check({ service: "" })).toEqual({ status: SERVING });
    server.health.setServing(BAGS, false);
    expect(await health.check({ service: BAGS })).toEqual({ status: NOT_SERVING });
    expect(await health.check({ service: "" })).toEqual({ status: SERVING });
  });

  it("lists every service", async () => {
    const { statuses } = await health.list({});
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["", BAGS, "inference.GRPCInferenceService"]));
  });

  it("answers NOT_FOUND for a service it does not have", async () => {
    await expect(health.check({ service: "no.Such" })).rejects.toMatchObject({ code: Status.NOT_FOUND });
  });

  it("refuses long names instead of repeating them", async () => {
    const service = "x".repeat(257);
    await expect(health.check({ service })).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
    await expect(watchOf(service).next()).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
    const error = await health.check({ service: "y".repeat(600_000) }).catch((thrown: { details: string }) => thrown);
    expect((error as { details: string }).details.length).toBeLessThan(200);
  });

  it("watches: the present status, then every change, and nothing when nothing changed", async () => {
    const watch = watchOf(BAGS);
    expect(await next(watch)).toBe(SERVING);
    server.health.setServing(BAGS, true);
    server.health.setServing(BAGS, false);
    expect(await next(watch)).toBe(NOT_SERVING);
    server.health.setServing(BAGS, true);
    expect(await next(watch)).toBe(SERVING);
    await watch.return?.();
  });

  it("keeps a watch on an unknown service open until the service is known", async () => {
    const watch = watchOf("later.Service");
    expect(await next(watch)).toBe(SERVICE_UNKNOWN);
    server.health.setServing("later.Service", true);
    expect(await next(watch)).toBe(SERVING);
    await watch.return?.();
  });

  it("tells watchers NOT_SERVING at shutdown and ends their streams, which hold nothing up", async () => {
    const watch = watchOf("");
    expect(await next(watch)).toBe(SERVING);
    const stopped = server.stop();
    expect(await next(watch)).toBe(NOT_SERVING);
    expect((await watch.next()).done).toBe(true);
    expect(await stopped).toEqual({ outcome: "drained" });
  });

  it("starts as NOT_SERVING when there is a warm-up to come", async () => {
    let isWarm = false;
    const check = async () => {
      if (!isWarm) throw new DomainError("PRECONDITION_FAILED", "cold");
    };
    const checks = [{ name: "engine", check }];
    const readiness = await createReadiness({ checks, logger: createSilentLogger(), intervalMs: 1e6 });
    const cold = await startEchoServer({ readiness });
    const coldChannel = createChannel(cold.address);
    const coldHealth = createClient(grpcHealthV1.HealthDefinition, coldChannel);
    expect(await coldHealth.check({ service: "" })).toEqual({ status: NOT_SERVING });
    expect(await coldHealth.check({ service: "liveness" })).toEqual({ status: SERVING });
    isWarm = true;
    await readiness.look();
    expect(await coldHealth.check({ service: "" })).toEqual({ status: SERVING });
    coldChannel.close();
    await cold.stop();
  });
});
