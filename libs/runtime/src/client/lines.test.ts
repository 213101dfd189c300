import type { lineV1 } from "@parfocal/protocol";
import { type MethodDescriptor, Status } from "nice-grpc";
import { afterEach, describe, expect, it } from "vitest";
import { createServerMetrics, type ServerMetrics } from "../telemetry/metrics.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import { recordStreams } from "../testing/record-streams.ts";
import { createChannelTo } from "./create-channel-to.ts";
import { createLines, type LinesOptions } from "./lines.ts";

const HOUR_MS = 3_600_000;
const OPEN = "/parfocal.line.v1.LineService/Open";
const REQUEST: lineV1.OpenRequest = {
  method: "inference.GRPCInferenceService/ModelReady",
  timeoutMs: 0n,
  metadata: {},
  request: Buffer.of(),
};
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server's metrics, and a function that waits until `n` of its lines have ended; it gives how they did. */
function watchLines() {
  const statuses: Status[] = [];
  let wake = () => {};
  const inner = createServerMetrics();
  const metrics: ServerMetrics = {
    registry: inner.registry,
    callStarted(method: MethodDescriptor) {
      const end = inner.callStarted(method);
      return (status, durationS) => {
        end(status, durationS);
        if (method.path === OPEN) statuses.push(status);
        wake();
      };
    },
  };
  const ended = async (n: number) => {
    while (statuses.length < n) await new Promise<void>((resolve) => (wake = resolve));
    return statuses;
  };
  return { metrics, ended };
}

/** Lines to a server. Times that are not given are long, however slow the machine is. */
async function linesTo(options: Partial<LinesOptions>, behaviour?: EchoOptions["behaviour"]) {
  const { metrics, ended } = watchLines();
  const server = await startEchoServer({ hasLines: true, metrics, ...(behaviour && { behaviour }) });
  cleanups.push(() => server.stop({ drainMs: 0 }));
  const channel = createChannelTo(server.address);
  cleanups.push(() => channel.close());
  const streams = recordStreams(channel);
  const lines = createLines({ channel, idleMs: HOUR_MS, maxAgeMs: HOUR_MS, ...options });
  cleanups.push(() => lines.close());
  const { signal } = new AbortController();
  return { lines, streams, ended, call: () => lines.call(REQUEST, signal) };
}

describe("lines", () => {
  it("leave the first call to itself and take the later ones", async () => {
    const { streams, call } = await linesTo({});
    expect(await call()).toBeUndefined();
    expect(streams).toEqual([]);
    for (let i = 0; i < 3; i += 1) expect((await call())?.result?.$case).toBe("response");
    expect(streams).toEqual([OPEN]);
  });

  it("leave calls to themselves that come rarely", async () => {
    const { streams, call } = await linesTo({ idleMs: 0 });
    for (let i = 0; i < 3; i += 1) expect(await call()).toBeUndefined();
    expect(streams).toEqual([]);
  });

  it("are closed when they have been idle", async () => {
    const { streams, ended, call } = await linesTo({ idleMs: 20 });
    // How long a try takes is the machine's affair; the next one comes often enough some time.
    while ((await call()) === undefined);
    expect(await ended(streams.length)).toEqual(streams.map(() => Status.OK));
  });

  it("are not used again when they are old", async () => {
    const { streams, ended, call } = await linesTo({ maxAgeMs: 0 });
    await call();
    for (let i = 0; i < 3; i += 1) expect(await call()).toBeDefined();
    expect(streams).toEqual([OPEN, OPEN, OPEN]);
    expect(await ended(2)).toEqual([Status.OK, Status.OK]);
  });

  it("end when they are closed", async () => {
    const { lines, ended, call } = await linesTo({});
    await call();
    await call();
    lines.close();
    expect(await ended(1)).toEqual([Status.OK]);
  });

  it("end after the call on them when they are closed meanwhile", async () => {
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const { lines, ended, call } = await linesTo({}, () => {
      started.resolve();
      return gate.promise;
    });
    await call();
    const answer = call();
    await started.promise;
    lines.close();
    gate.resolve();
    expect((await answer)?.result?.$case).toBe("response");
    expect(await ended(1)).toEqual([Status.OK]);
  });

  it("show the token that there is when they are opened", async () => {
    let nAsked = 0;
    const { call } = await linesTo({ bearerToken: () => String(++nAsked) });
    for (let i = 0; i < 3; i += 1) await call();
    expect(nAsked).toBe(1);
  });
});
