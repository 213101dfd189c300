import { createServer as createTcpServer } from "node:net";
import { DomainError } from "@parfocal/errors";
import { gatewayV1, inferenceV2 } from "@parfocal/protocol";
import { Metadata } from "nice-grpc-common";
import { afterEach, describe, expect, it } from "vitest";
import type { HandlerContext } from "../server/call-scope.ts";
import type { RunningServer } from "../server/start-server.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import { createChannelTo } from "./create-channel-to.ts";
import { createStageClient, type StageClientOptions } from "./create-stage-client.ts";

const definition = inferenceV2.GRPCInferenceServiceDefinition;
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(options?: EchoOptions): Promise<RunningServer> {
  const server = await startEchoServer(options);
  cleanups.push(() => server.stop({ drainMs: 0 }));
  return server;
}

function clientOf(target: string, options?: StageClientOptions) {
  const client = createStageClient(definition, target, options);
  cleanups.push(() => client.close());
  return client.calls;
}

/** A stage whose handler is `behaviour`, and a gateway whose handler calls it with its own call as parent. */
async function serveTwo(behaviour: EchoOptions["behaviour"], options?: StageClientOptions) {
  const stage = await serve({ ...(behaviour && { behaviour }) });
  const stageCalls = clientOf(stage.address, options);
  const gateway = await serve({
    behaviour: async (parent) => void (await stageCalls.modelReady({ name: "m" }, { parent })),
  });
  return clientOf(gateway.address);
}

async function failureOf(call: Promise<unknown>): Promise<DomainError> {
  return call.then(
    () => expect.unreachable(),
    (error: unknown) => error as DomainError,
  );
}

describe("a stage client", () => {
  it("throws the error the server threw, code, message and details", async () => {
    const { address } = await serve({
      behaviour: () => {
        throw new DomainError("SHAPE_MISMATCH", "D is 7, the model expects 8", { details: { value: "7", bound: "8" } });
      },
    });
    const error = await failureOf(clientOf(address).modelReady({ name: "m" }));
    expect(error).toBeInstanceOf(DomainError);
    expect(error).toMatchObject({
      code: "SHAPE_MISMATCH",
      message: "D is 7, the model expects 8",
      details: { value: "7", bound: "8" },
    });
  });

  it("keeps a stage's error through the gateway to the caller", async () => {
    const calls = await serveTwo(() => {
      throw new DomainError("OUT_OF_MEMORY", "the graph needs 9 GB, the device has 8 GB", { details: { bound: "8" } });
    });
    expect(await failureOf(calls.modelReady({ name: "m" }))).toMatchObject({
      code: "OUT_OF_MEMORY",
      message: "the graph needs 9 GB, the device has 8 GB",
      details: { bound: "8" },
    });
  });

  it("throws the stream's error after its messages", async () => {
    const { address } = await serve({
      behaviour: () => {
        throw new DomainError("CORRUPT", "the digest differs");
      },
    });
    const client = createStageClient(gatewayV1.OperationServiceDefinition, address);
    cleanups.push(() => client.close());
    let nStates = 0;
    const read = async () => {
      for await (const _ of client.calls.watchOperation({ name: "o", afterSequence: 2n })) nStates += 1;
    };
    expect(await failureOf(read())).toMatchObject({ code: "CORRUPT" });
    expect(nStates).toBe(2);
  });

  it("passes on the request id, the trace, and what is left of the deadline less the margin", async () => {
    const seen: HandlerContext[] = [];
    const calls = await serveTwo((context) => void seen.push(context), { marginMs: 1000 });
    const metadata = Metadata({ "x-request-id": "req-7", traceparent: TRACEPARENT, tracestate: "vendor=1" });
    const beforeMs = Date.now();
    await calls.modelReady({ name: "m" }, { metadata, timeoutMs: 30_000 });
    const context = seen[0]!;
    expect(context.requestId).toBe("req-7");
    expect([context.metadata.get("traceparent"), context.metadata.get("tracestate")]).toEqual([
      TRACEPARENT,
      "vendor=1",
    ]);
    expect(context.deadlineMs).toBeGreaterThan(beforeMs);
    // Millisecond rounding of two hops aside, a second is gone.
    expect(context.deadlineMs! - Date.now()).toBeLessThanOrEqual(29_010);
  });

  it("carries a cancel through the gateway into the stage", async () => {
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<unknown>();
    const calls = await serveTwo(async ({ signal }) => {
      signal.addEventListener("abort", () => ended.resolve(signal.reason));
      started.resolve();
      await ended.promise;
    });
    const controller = new AbortController();
    const call = failureOf(calls.modelReady({ name: "m" }, { signal: controller.signal }));
    await started.promise;
    controller.abort();
    expect(await call).toMatchObject({ code: "CANCELLED" });
    expect(await ended.promise).toMatchObject({ code: "CANCELLED" });
  });

  it("takes a cancellation that nobody asked for as a stage that went away", async () => {
    const { address } = await serve({
      behaviour: () => {
        throw new DomainError("CANCELLED", "this process is dying");
      },
    });
    const controller = new AbortController();
    const call = clientOf(address).modelReady({ name: "m" }, { signal: controller.signal });
    expect(await failureOf(call)).toMatchObject({ code: "UNREACHABLE" });
  });

  it("gives up at its deadline when the server is silent, and tells the server of it", async () => {
    const ended = Promise.withResolvers<unknown>();
    const { address } = await serve({
      behaviour: async ({ signal }) => {
        signal.addEventListener("abort", () => ended.resolve(signal.reason));
        await ended.promise;
      },
    });
    expect(await failureOf(clientOf(address).modelReady({ name: "m" }, { timeoutMs: 100 }))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    expect(await ended.promise).toBeInstanceOf(DomainError);
  });

  it("does not call at all when the deadline has passed or the signal has fired", async () => {
    let nCalls = 0;
    const { address } = await serve({
      behaviour: () => {
        nCalls += 1;
      },
    });
    const calls = clientOf(address);
    expect(await failureOf(calls.modelReady({ name: "m" }, { signal: AbortSignal.abort() }))).toMatchObject({
      code: "CANCELLED",
    });
    const parent = { deadlineMs: Date.now() - 1, signal: new AbortController().signal } as HandlerContext;
    expect(await failureOf(calls.modelReady({ name: "m" }, { parent }))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(nCalls).toBe(0);
  });
});

describe("retries", () => {
  const unreachable = new DomainError("UNREACHABLE", "the store does not answer", { details: { retryAfterMs: "1" } });

  /** A server whose first `nFailures` calls fail, and how many calls it saw. */
  async function failing(nFailures: number, error = unreachable) {
    const state = { nCalls: 0 };
    const { address } = await serve({
      behaviour: () => {
        state.nCalls += 1;
        if (state.nCalls <= nFailures) throw error;
      },
    });
    return { address, state };
  }

  it("repeats idempotent unary calls on UNREACHABLE until they work", async () => {
    const { address, state } = await failing(2);
    const calls = clientOf(address, { idempotentMethods: ["ModelReady"], retry: { initialDelayMs: 1 } });
    expect(await calls.modelReady({ name: "m" })).toEqual({ ready: true });
    expect(state.nCalls).toBe(3);
  });

  it("stops after the last attempt and throws its error", async () => {
    const { address, state } = await failing(99);
    const calls = clientOf(address, {
      idempotentMethods: ["ModelReady"],
      retry: { initialDelayMs: 1, maxAttempts: 2 },
    });
    expect(await failureOf(calls.modelReady({ name: "m" }))).toMatchObject({ code: "UNREACHABLE" });
    expect(state.nCalls).toBe(2);
  });

  it("never repeats what is not idempotent, nor another error", async () => {
    const first = await failing(1);
    expect(await failureOf(clientOf(first.address).modelReady({ name: "m" }))).toMatchObject({ code: "UNREACHABLE" });
    const second = await failing(1, new DomainError("ENGINE_CRASHED", "the engine died"));
    const calls = clientOf(second.address, { idempotentMethods: ["ModelReady"] });
    expect(await failureOf(calls.modelReady({ name: "m" }))).toMatchObject({ code: "ENGINE_CRASHED" });
    expect([first.state.nCalls, second.state.nCalls]).toEqual([1, 1]);
  });

  it("does not wait beyond the deadline", async () => {
    const slow = new DomainError("UNREACHABLE", "later", { details: { retryAfterMs: "60000" } });
    const { address, state } = await failing(9, slow);
    const calls = clientOf(address, { idempotentMethods: ["ModelReady"] });
    expect(await failureOf(calls.modelReady({ name: "m" }, { timeoutMs: 5000 }))).toMatchObject({
      code: "UNREACHABLE",
    });
    expect(state.nCalls).toBe(1);
  });

  it("stops retrying when most calls fail, instead of adding to the load", async () => {
    const { address, state } = await failing(1000);
    const calls = clientOf(address, { idempotentMethods: ["ModelReady"], retry: { initialDelayMs: 1 } });
    for (let i = 0; i < 10; i += 1) await failureOf(calls.modelReady({ name: "m" }));
    // Four attempts and two more spend half of the ten tokens; then each call is one attempt.
    expect(state.nCalls).toBeLessThanOrEqual(15);
  });

  it("reaches a server that came up meanwhile", async () => {
    const port = await freePort();
    const calls = clientOf(`127.0.0.1:${port}`, { idempotentMethods: ["ModelReady"], retry: { maxAttempts: 6 } });
    const call = calls.modelReady({ name: "m" });
    await serve({ config: { port } });
    expect(await call).toEqual({ ready: true });
  });

  it("says UNREACHABLE of a server that is not there", async () => {
    const port = await freePort();
    expect(await failureOf(clientOf(`127.0.0.1:${port}`).modelReady({ name: "m" }))).toMatchObject({
      code: "UNREACHABLE",
    });
  });
});

describe("channels", () => {
  it("serve several clients, who leave them open", async () => {
    const { address } = await serve();
    const channel = createChannelTo(address);
    cleanups.push(() => channel.close());
    createStageClient(definition, channel).close();
    expect(await createStageClient(definition, channel).calls.modelReady({ name: "m" })).toEqual({ ready: true });
  });

  it("refuse to send more than they may", async () => {
    const { address } = await serve();
    const calls = clientOf(address, { channel: { maxSendBytes: 1024 } });
    expect(await failureOf(calls.modelReady({ name: "m".repeat(2000) }))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("leave it to the server to say what is too large, with the size and the bound", async () => {
    const { address } = await serve();
    const calls = clientOf(address, { retry: { maxAttempts: 1 } });
    const size = 5 * 1024 * 1024;
    const failure = await failureOf(calls.modelReady({ name: "m".repeat(size) }));
    expect(failure).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      details: { value: `${size + 5}`, bound: `${4 * 1024 * 1024}` },
    });
    expect(String(failure)).toContain("PARFOCAL_MAX_RECEIVE_BYTES");
  });
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
