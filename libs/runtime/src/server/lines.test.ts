import type { DomainError } from "@parfocal/errors";
import type { lineV1 } from "@parfocal/protocol";
import { createChannel } from "nice-grpc";
import { afterEach, describe, expect, it } from "vitest";
import { currentOperation } from "../telemetry/operation-context.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import { lineOver } from "../testing/raw-line.ts";
import type { HandlerContext } from "./call-scope.ts";

const OPEN = "parfocal.line.v1.LineService/Open";
const READY = { ready: true };
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options?: EchoOptions) {
  const server = await startEchoServer({ hasLines: true, ...options });
  cleanups.push(() => server.stop({ drainMs: 0 }));
  const channel = createChannel(server.address);
  cleanups.push(() => channel.close());
  return { server, open: (token?: string) => lineOver(channel, token) };
}

describe("a line", () => {
  it("answers one call after another, each counted by itself", async () => {
    const { server, open } = await start();
    const line = open();
    for (const name of ["a", "", "b"]) expect(await line.call({ name })).toEqual({ ready: name !== "" });
    line.end();
    expect(await line.ended()).toBe(true);
    const text = await server.metrics.registry.metrics();
    expect(text).toMatch(/handled_total\{grpc_type="unary".*grpc_method="ModelReady",grpc_code="OK"\} 3/);
    expect(text).toMatch(/handled_total\{grpc_type="bidi_stream".*grpc_method="Open",grpc_code="OK"\} 1/);
    expect(text).toMatch(/in_flight\{.*grpc_method="ModelReady"\} 0/);
  });

  it.each<[string, Partial<lineV1.OpenRequest>, Partial<DomainError>]>([
    ["an unknown method", { method: "a.B/C" }, { code: "UNIMPLEMENTED", details: { field: "method" } }],
    ["no method", { method: "" }, { code: "UNIMPLEMENTED", details: { field: "method" } }],
    ["a streaming method", { method: "parfocal.gateway.v1.BagService/UploadBag" }, { code: "UNIMPLEMENTED" }],
    ["itself", { method: OPEN }, { code: "UNIMPLEMENTED" }],
    ["a method without a handler", { method: "inference.GRPCInferenceService/ModelInfer" }, { code: "UNIMPLEMENTED" }],
    ["bytes that are no message", { request: Buffer.of(0x0a, 0xff) }, { code: "INVALID_ARGUMENT" }],
    [
      "a key that is none",
      { metadata: { "no key": "" } },
      { code: "INVALID_ARGUMENT", details: { field: "metadata" } },
    ],
    ["text as binary metadata", { metadata: { "x-bin": "text" } }, { code: "INVALID_ARGUMENT" }],
  ])("refuses %s and goes on", async (_, request, failure) => {
    const line = (await start()).open();
    expect(await line.call(request)).toMatchObject(failure);
    expect(await line.call()).toEqual(READY);
  });

  it("tells nothing of an unforeseen error and goes on", async () => {
    let nCalls = 0;
    const behaviour = () => {
      nCalls += 1;
      if (nCalls === 1) throw new TypeError("secret");
    };
    const line = (await start({ behaviour })).open();
    const failure = await line.call();
    expect(failure).toMatchObject({ code: "INTERNAL" });
    expect(String(failure)).not.toContain("secret");
    expect(await line.call()).toEqual(READY);
  });

  it("gives a call without a deadline the server's own", async () => {
    const seen: HandlerContext[] = [];
    const config = { defaultDeadlineMs: 10_000 };
    const line = (await start({ config, behaviour: (context) => void seen.push(context) })).open();
    const beforeMs = Date.now();
    for (const timeoutMs of [0n, -1n]) await line.call({ timeoutMs });
    for (const { deadlineMs } of seen) {
      expect(deadlineMs).toBeGreaterThanOrEqual(beforeMs + 10_000);
      expect(deadlineMs).toBeLessThanOrEqual(Date.now() + 10_000);
    }
    expect(seen).toHaveLength(2);
  });

  it("refuses a deadline beyond the bound, naming it", async () => {
    const line = (await start()).open();
    const details = { field: "grpc-timeout", bound: "3600000" };
    for (const timeoutMs of [7_200_000n, 2n ** 63n - 1n]) {
      expect(await line.call({ timeoutMs })).toMatchObject({ code: "INVALID_ARGUMENT", details });
    }
    expect(await line.call({ timeoutMs: 3_600_000n })).toEqual(READY);
  });

  it("ends a call at its deadline and goes on", async () => {
    const reasons: unknown[] = [];
    const behaviour = async ({ signal }: HandlerContext) => {
      if (reasons.length > 0) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason);
      throw signal.reason;
    };
    const line = (await start({ behaviour })).open();
    expect(await line.call({ timeoutMs: 50n })).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(reasons).toEqual([expect.objectContaining({ code: "DEADLINE_EXCEEDED" })]);
    expect(await line.call()).toEqual(READY);
  });

  it("cancels its call when it is cancelled", async () => {
    const started = Promise.withResolvers<void>();
    const fired = Promise.withResolvers<unknown>();
    const behaviour = async ({ signal }: HandlerContext) => {
      signal.addEventListener("abort", () => fired.resolve(signal.reason));
      started.resolve();
      await fired.promise;
    };
    const line = (await start({ behaviour })).open();
    const call = line.call();
    await started.promise;
    line.cancel();
    await expect(call).rejects.toThrow("aborted");
    expect(await fired.promise).toMatchObject({ code: "CANCELLED" });
  });

  it("ends when the server stops, though its client does not", async () => {
    const { server, open } = await start({ config: { drainMs: 3_600_000 } });
    const line = open();
    await line.call();
    const ended = line.ended();
    expect(await server.stop()).toEqual({ outcome: "drained" });
    expect(await ended).toBe(true);
  });

  it("brings the metadata of each call", async () => {
    const seen: unknown[] = [];
    const behaviour = ({ requestId, metadata, peer }: HandlerContext) =>
      void seen.push([requestId, metadata.get("traceparent"), currentOperation(), peer.replace(/\d+$/, "")]);
    const line = (await start({ behaviour })).open();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await line.call({ metadata: { "x-request-id": "r-1", traceparent, "x-parfocal-operation": "o-1" } });
    await line.call({ metadata: { "x-request-id": "no id" } });
    expect(seen[0]).toEqual(["r-1", traceparent, "o-1", "127.0.0.1:"]);
    expect(seen[1]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), undefined, undefined, "127.0.0.1:"]);
  });
});
