import { DomainError } from "@parfocal/errors";
import { inferenceV2 } from "@parfocal/protocol";
import { createClientFactory, Metadata } from "nice-grpc";
import { afterEach, describe, expect, it } from "vitest";
import type { HandlerContext } from "../server/call-scope.ts";
import type { RunningServer } from "../server/start-server.ts";
import { currentOperation, runInOperation } from "../telemetry/operation-context.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import { recordStreams } from "../testing/record-streams.ts";
import { createChannelTo } from "./create-channel-to.ts";
import { createStageClient } from "./create-stage-client.ts";
import { createLineCalls } from "./line-calls.ts";
import { createLines, type LinesOptions } from "./lines.ts";
import { createRetryPolicy } from "./retry.ts";
import { createStageMiddleware } from "./stage-middleware.ts";

const definition = inferenceV2.GRPCInferenceServiceDefinition;
const ALONE = "/inference.GRPCInferenceService/ModelReady";
const OPEN = "/parfocal.line.v1.LineService/Open";
const HOUR_MS = 3_600_000;
/** Calls come often and lines stay open, however slow the machine is. */
const PATIENT = { idleMs: HOUR_MS, maxAgeMs: HOUR_MS, refusedMs: HOUR_MS, endedMs: 0 };
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(options?: EchoOptions): Promise<RunningServer> {
  const server = await startEchoServer({ hasLines: true, ...options });
  cleanups.push(() => server.stop({ drainMs: 0 }));
  return server;
}

function channelTo(address: string) {
  const channel = createChannelTo(address);
  cleanups.push(() => channel.close());
  return { channel, streams: recordStreams(channel) };
}

function clientOf(address: string, options: Partial<LinesOptions> = {}) {
  const { channel, streams } = channelTo(address);
  const lines = createLines({ channel, ...PATIENT, ...options });
  cleanups.push(() => lines.close());
  const middleware = createStageMiddleware({
    ...{ defaultTimeoutMs: 60_000, marginMs: 20, retry: createRetryPolicy({ initialDelayMs: 1000 }) },
    ...{ idempotentMethods: new Set(["ModelReady"]), bearerToken: options.bearerToken },
    lines: createLineCalls(definition, ["ModelReady"], lines),
  });
  const calls = createClientFactory().use(middleware).create(definition, channel);
  return {
    streams,
    call: (callOptions: Parameters<typeof calls.modelReady>[1] = {}) => calls.modelReady({ name: "m" }, callOptions),
  };
}

/** A client with an open line to a server that does `behaviour` in every call from now on. */
async function withLine(
  behaviour: EchoOptions["behaviour"],
  options?: Omit<EchoOptions, "behaviour">,
  lineOptions?: Partial<LinesOptions>,
) {
  let isOpen = false;
  const server = await serve({ ...options, behaviour: (context) => (isOpen ? behaviour?.(context) : undefined) });
  const { streams, call } = clientOf(server.address, lineOptions);
  await call();
  await call();
  isOpen = true;
  expect(streams).toEqual([ALONE, OPEN]);
  return { server, streams, call };
}

/** What the first call does; later ones answer at once. */
function once(behaviour: NonNullable<EchoOptions["behaviour"]>): NonNullable<EchoOptions["behaviour"]> {
  let nCalls = 0;
  return (context) => (++nCalls === 1 ? behaviour(context) : undefined);
}

/** A call that lasts until its signal fires. */
function waiting() {
  const started = Promise.withResolvers<HandlerContext>();
  const ended = Promise.withResolvers<unknown>();
  const behaviour = once(async (context) => {
    const fired = new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    started.resolve(context);
    await fired;
    ended.resolve(context.signal.reason);
    throw context.signal.reason;
  });
  return { started: started.promise, reason: ended.promise, behaviour };
}

async function failureOf(call: Promise<unknown>): Promise<DomainError> {
  return call.then(
    () => expect.unreachable(),
    (error: unknown) => error as DomainError,
  );
}

describe("calls that come often", () => {
  it("go over one line after the first", async () => {
    const handled: HandlerContext[] = [];
    const { address } = await serve({ behaviour: (context) => void handled.push(context) });
    const { streams, call } = clientOf(address);
    expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE]);
    for (let i = 0; i < 10; i += 1) expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN]);
    expect(handled).toHaveLength(11);
  });

  it("go over lines for those methods alone that are named", async () => {
    const { address } = await serve();
    const { channel, streams } = channelTo(address);
    const { calls, close } = createStageClient(definition, channel, {
      ...{ idempotentMethods: ["ModelReady"], lineMethods: ["ModelReady"] },
    });
    cleanups.push(close);
    while (!streams.includes(OPEN)) expect(await calls.modelReady({ name: "m" })).toEqual({ ready: true });
    const nStreams = streams.length;
    expect(await failureOf(calls.serverLive({}))).toMatchObject({ code: "UNIMPLEMENTED" });
    expect(streams.slice(nStreams)).toEqual(["/inference.GRPCInferenceService/ServerLive"]);
  });

  it("go by themselves where sending one twice would do more", async () => {
    const { streams, call } = await withLine(() => {});
    expect(await call({ isIdempotent: false })).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN, ALONE]);
  });

  it("do not wait for each other", async () => {
    let nEntered = 0;
    const all = Promise.withResolvers<void>();
    const behaviour = () => {
      nEntered += 1;
      if (nEntered === 4) all.resolve();
      return all.promise;
    };
    const { streams, call } = await withLine(behaviour);
    const four = () => Promise.all(Array.from({ length: 4 }, () => call()));
    expect(await four()).toHaveLength(4);
    await four();
    expect(streams).toEqual([ALONE, OPEN, OPEN, OPEN, OPEN]);
  });

  it("fail as by themselves, code, message and details, and the line goes on", async () => {
    const thrown = new DomainError("SHAPE_MISMATCH", "D is 7, the model expects 8", { details: { bound: "8" } });
    const { streams, call } = await withLine(once(() => Promise.reject(thrown)));
    const { code, message, details } = await failureOf(call());
    expect({ code, message, details }).toEqual({ code: thrown.code, message: thrown.message, details: { bound: "8" } });
    expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN]);
  });

  it("end at their deadline, which the handler knows, and later ones work", async () => {
    const { started, reason, behaviour } = waiting();
    const { call } = await withLine(behaviour);
    const beforeMs = Date.now();
    const failure = failureOf(call({ timeoutMs: 500 }));
    const { deadlineMs } = await started;
    expect(deadlineMs).toBeGreaterThanOrEqual(beforeMs + 500);
    expect(deadlineMs).toBeLessThanOrEqual(Date.now() + 500);
    expect(await failure).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await reason).toBeInstanceOf(DomainError);
    expect(await call()).toEqual({ ready: true });
  });

  it("end when their caller leaves, and later ones work", async () => {
    const { started, reason, behaviour } = waiting();
    const { streams, call } = await withLine(behaviour);
    const controller = new AbortController();
    const failure = failureOf(call({ signal: controller.signal }));
    await started;
    controller.abort();
    expect(await failure).toMatchObject({ code: "CANCELLED" });
    expect(await reason).toMatchObject({ code: "CANCELLED" });
    expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN, OPEN]);
  });

  it("carry their own token, request id, trace and operation", async () => {
    const asked: (string | undefined)[][] = [];
    const seen: unknown[] = [];
    let nTokens = 0;
    const server = await serve({
      authorizer: {
        authorize({ method, metadata }) {
          const token = metadata.get("authorization");
          asked.push([`/${method}`, token]);
          if (token === "Bearer 4") throw new DomainError("FORBIDDEN", "this token may not");
          return { kind: "jwt", name: "somebody" };
        },
      },
      behaviour: ({ requestId, metadata }) =>
        void seen.push([requestId, metadata.get("traceparent"), currentOperation()]),
    });
    const { call } = clientOf(server.address, { bearerToken: () => `Bearer ${++nTokens}`.slice("Bearer ".length) });
    const trace = (n: number) => `00-4bf92f3577b34da6a3ce929d0e0e473${n}-00f067aa0ba902b7-01`;
    const nth = (n: number) =>
      runInOperation(`o-${n}`, () => call({ metadata: Metadata({ "x-request-id": `r-${n}`, traceparent: trace(n) }) }));
    for (const n of [1, 2]) await nth(n);
    expect(await failureOf(nth(3))).toMatchObject({ code: "FORBIDDEN" });
    await nth(4);
    expect(asked).toEqual([
      [ALONE, "Bearer 1"],
      [OPEN, "Bearer 3"],
      [ALONE, "Bearer 2"],
      [ALONE, "Bearer 4"],
      [ALONE, "Bearer 5"],
    ]);
    expect(seen).toEqual([1, 2, 4].map((n) => [`r-${n}`, trace(n), `o-${n}`]));
  });
});

describe("a server", () => {
  it("without lines is asked for one once", async () => {
    const { address } = await serve({ hasLines: false });
    const { streams, call } = clientOf(address);
    for (let i = 0; i < 4; i += 1) expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN, ALONE, ALONE, ALONE]);
  });

  it("without lines is asked again after a while", async () => {
    const { address } = await serve({ hasLines: false });
    const { streams, call } = clientOf(address, { refusedMs: 0 });
    for (let i = 0; i < 3; i += 1) expect(await call()).toEqual({ ready: true });
    expect(streams).toEqual([ALONE, OPEN, ALONE, OPEN, ALONE]);
  });

  it("that stops does not wait for idle lines", async () => {
    const { server } = await withLine(undefined, { config: { drainMs: HOUR_MS } });
    expect(await server.stop()).toEqual({ outcome: "drained" });
  });

  it("that stops lets a call on a line end", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<HandlerContext>();
    const { server, call } = await withLine(
      (context) => {
        started.resolve(context);
        return gate.promise;
      },
      { config: { drainMs: HOUR_MS } },
    );
    const answer = call();
    const { draining, signal } = await started.promise;
    const stopped = server.stop();
    expect([draining.aborted, signal.aborted]).toEqual([true, false]);
    gate.resolve();
    expect(await answer).toEqual({ ready: true });
    expect(await stopped).toEqual({ outcome: "drained" });
  });

  it("that ends a call on a line is UNREACHABLE, to the handler too", async () => {
    const { started, reason, behaviour } = waiting();
    const { server, call } = await withLine(behaviour);
    const failure = failureOf(call());
    await started;
    expect(await server.stop({ drainMs: 0 })).toEqual({ outcome: "aborted" });
    expect(await failure).toMatchObject({ code: "UNREACHABLE" });
    expect(await reason).toMatchObject({ code: "UNREACHABLE" });
  });

  it("that stops is called without lines for a while", async () => {
    const { server, call, streams } = await withLine(
      () => {},
      { config: { lameDuckMs: 60_000 } },
      { endedMs: HOUR_MS },
    );
    const nStreams = streams.length;
    const stopped = server.stop();
    for (let i = 0; i < 3; i += 1) expect(await call()).toEqual({ ready: true });
    expect(streams.slice(nStreams).filter((path) => path === ALONE)).toHaveLength(3);
    expect(streams.slice(nStreams).filter((path) => path === OPEN).length).toBeLessThan(2);
    await server.stop({ drainMs: 0 });
    await stopped;
  });

  it("that cuts a line is UNREACHABLE until another one is there", async () => {
    const started = Promise.withResolvers<void>();
    const { server, call, streams } = await withLine(() => {
      started.resolve();
      return new Promise(() => {});
    });
    const failure = failureOf(call());
    await started.promise;
    expect(await server.stop({ drainMs: 0 })).toEqual({ outcome: "forced" });
    expect(await failure).toMatchObject({ code: "UNREACHABLE" });
    await serve({ config: { port: server.port } });
    // The channel connects again by itself, a moment later.
    await expect.poll(() => call().catch(() => undefined), { timeout: 50_000 }).toEqual({ ready: true });
    const nStreams = streams.length;
    for (let i = 0; i < 3; i += 1) expect(await call()).toEqual({ ready: true });
    expect(streams.slice(nStreams).filter((path) => path === ALONE)).toEqual([]);
  });
});
