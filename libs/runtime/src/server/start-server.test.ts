import { connect } from "node:http2";
import { DomainError } from "@parfocal/errors";
import { gatewayV1, grpcReflectionV1, inferenceV2 } from "@parfocal/protocol";
import { type Channel, createChannel, createClient, Metadata, Status } from "nice-grpc";
import { afterEach, describe, expect, it } from "vitest";
import { domainErrorFromRpc } from "../errors/domain-error-from-rpc.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import type { HandlerContext } from "./call-scope.ts";
import type { RunningServer } from "./start-server.ts";

const MODEL_READY = "inference.GRPCInferenceService/ModelReady";
const running: { server: RunningServer; channel: Channel }[] = [];

afterEach(async () => {
  for (const { server, channel } of running.splice(0)) {
    channel.close();
    await server.stop({ drainMs: 0 });
  }
});

async function start(options?: EchoOptions) {
  const server = await startEchoServer(options);
  const channel = createChannel(server.address);
  running.push({ server, channel });
  return {
    server,
    infer: createClient(inferenceV2.GRPCInferenceServiceDefinition, channel),
    operations: createClient(gatewayV1.OperationServiceDefinition, channel),
    bags: createClient(gatewayV1.BagServiceDefinition, channel),
    echo: createClient(grpcReflectionV1.ServerReflectionDefinition, channel),
  };
}

/** The domain error that the call ended with, and its trailer. */
async function failureOf(call: (options: { onTrailer(trailer: Metadata): void }) => Promise<unknown>) {
  let trailer: Metadata | undefined;
  const onTrailer = (received: Metadata) => {
    trailer = received;
  };
  const error = await call({ onTrailer }).then(
    () => undefined,
    (thrown: unknown) => domainErrorFromRpc(thrown, trailer),
  );
  return error as DomainError;
}

async function* from<T>(items: Iterable<T>) {
  yield* items;
}

describe("a server", () => {
  it("answers calls of each kind", async () => {
    const { infer, operations, bags, echo } = await start();
    expect(await infer.modelReady({ name: "m" })).toEqual({ ready: true });
    const states = await Array.fromAsync(operations.watchOperation({ name: "o", afterSequence: 3n }));
    expect(states.map((state) => state.operation?.name)).toEqual(["o/0", "o/1", "o/2"]);
    const chunks = [10, 20].map((n) => ({ piece: { $case: "chunk" as const, value: Buffer.alloc(n) } }));
    expect((await bags.uploadBag(from(chunks))).bags[0]?.path).toBe("30");
    const echoed = await Array.fromAsync(echo.serverReflectionInfo(from([{ host: "a" }, { host: "b" }])));
    expect(echoed.map((message) => message.validHost)).toEqual(["a", "b"]);
  });

  it.each(["unary", "server stream", "client stream", "bidi stream"])("sends rich errors on a %s", async (kind) => {
    const clients = await start({
      behaviour: () => {
        throw new DomainError("GEOMETRY_MISMATCH", "mpp is 0.25, the model expects 0.5", { details: { field: "mpp" } });
      },
    });
    const error = await failureOf((options) => callOf(clients, kind, options));
    expect(error).toMatchObject({ code: "GEOMETRY_MISMATCH", details: { field: "mpp" } });
  });

  it("tells nothing of an unforeseen error and logs it under the number it gives", async () => {
    const logged: unknown[] = [];
    const logger = {
      error: (_: string, fields: unknown) => logged.push(fields),
      warn() {},
      info() {},
      debug() {},
      with: () => logger,
    };
    const thrown = new TypeError("secret");
    const { infer } = await start({
      logger,
      behaviour: () => {
        throw thrown;
      },
    });
    const error = await failureOf((options) => infer.modelReady({ name: "m" }, options));
    expect(error.code).toBe("INTERNAL");
    expect(error.message).not.toContain("secret");
    expect(logged).toEqual([
      expect.objectContaining({ incidentId: error.details.incidentId, error: thrown, method: MODEL_READY }),
    ]);
  });

  it("answers UNIMPLEMENTED for methods of the contract without a handler", async () => {
    const { infer } = await start();
    expect(await failureOf((options) => infer.modelInfer({}, options))).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("refuses a request whose validator throws, messages of streams included", async () => {
    const refuse = () => {
      throw new DomainError("INVALID_ARGUMENT", "name is empty", { details: { field: "name" } });
    };
    const validators = { [MODEL_READY]: refuse, "parfocal.gateway.v1.BagService/UploadBag": refuse };
    const { infer, bags } = await start({ validators });
    expect(await failureOf((options) => infer.modelReady({ name: "" }, options))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await failureOf((options) => bags.uploadBag(from([{}]), options))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("gives every call an id, keeps a decent one of the caller and repeats it", async () => {
    const seen: HandlerContext[] = [];
    const { infer } = await start({ behaviour: (context) => void seen.push(context) });
    let header: Metadata | undefined;
    const call = (id: string) =>
      infer.modelReady(
        { name: "m" },
        {
          metadata: Metadata({ "x-request-id": id }),
          onHeader: (h) => {
            header = h;
          },
        },
      );
    await call("abc-1.2");
    expect([seen[0]?.requestId, header?.get("x-request-id")]).toEqual(["abc-1.2", "abc-1.2"]);
    await call("no spaces, please");
    expect(seen[1]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("counts calls by method and status, and shows them over HTTP with its health", async () => {
    const { server, infer } = await start({ config: { metricsPort: 0 } });
    await infer.modelReady({ name: "m" });
    await failureOf((options) => infer.modelInfer({}, options));
    const url = `http://127.0.0.1:${server.metricsPort}`;
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="ModelReady",grpc_code="OK"\} 1/);
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="ModelInfer",grpc_code="UNIMPLEMENTED"\} 1/);
    expect(text).toMatch(/grpc_server_in_flight\{.*grpc_method="ModelReady"\} 0/);
    expect(text).toContain("nodejs_eventloop_lag_seconds");
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    server.health.setServing("", false);
    expect((await fetch(`${url}/healthz`)).status).toBe(503);
    expect((await fetch(`${url}/anything`)).status).toBe(404);
  });
});

function callOf(clients: Awaited<ReturnType<typeof start>>, kind: string, options: object): Promise<unknown> {
  switch (kind) {
    case "unary":
      return clients.infer.modelReady({ name: "m" }, options);
    case "server stream":
      return Array.fromAsync(clients.operations.watchOperation({ name: "o", afterSequence: 1n }, options));
    case "client stream":
      return clients.bags.uploadBag(from([{}]), options);
    default:
      return Array.fromAsync(clients.echo.serverReflectionInfo(from([{ host: "h" }]), options));
  }
}

/** A handler that waits for its signal and remembers what it fired with. */
function waiting() {
  const started = Promise.withResolvers<HandlerContext>();
  const ended = Promise.withResolvers<unknown>();
  const behaviour = async (context: HandlerContext) => {
    started.resolve(context);
    await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    ended.resolve(context.signal.reason);
    throw context.signal.reason;
  };
  return { started: started.promise, reason: ended.promise, behaviour };
}

describe("time and cancellation", () => {
  it.each(["unary", "server stream", "client stream", "bidi stream"])(
    "carries a cancel into the handler of a %s",
    async (kind) => {
      const { started, reason, behaviour } = waiting();
      const clients = await start({ behaviour });
      const controller = new AbortController();
      const call = callOf(clients, kind, { signal: controller.signal });
      await started;
      controller.abort();
      await expect(call).rejects.toThrow("aborted");
      expect(await reason).toMatchObject({ code: "CANCELLED" });
    },
  );

  it.each(["unary", "server stream", "client stream", "bidi stream"])(
    "carries a deadline into the handler of a %s",
    async (kind) => {
      const { started, reason, behaviour } = waiting();
      const clients = await start({ behaviour });
      const error = failureOf((options) =>
        callOf(clients, kind, { ...options, metadata: Metadata({ "grpc-timeout": "150m" }) }),
      );
      expect((await started).deadlineMs).toBeGreaterThan(Date.now());
      expect(await reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      expect(await error).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    },
  );

  it("gives a unary call without a deadline the default one", async () => {
    const { reason, behaviour } = waiting();
    const { infer } = await start({ behaviour, config: { defaultDeadlineMs: 50 } });
    expect(await failureOf((options) => infer.modelReady({ name: "m" }, options))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    expect(await reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("lets a stream without a deadline run", async () => {
    let deadlineMs: number | undefined = 0;
    const { operations } = await start({
      behaviour: (context) => {
        deadlineMs = context.deadlineMs;
      },
    });
    await Array.fromAsync(operations.watchOperation({ name: "o", afterSequence: 1n }));
    expect(deadlineMs).toBeUndefined();
  });

  it("refuses a unary deadline beyond the bound, naming both, unless the method allows more", async () => {
    const call = (clients: Awaited<ReturnType<typeof start>>) =>
      failureOf((options) =>
        clients.infer.modelReady({ name: "m" }, { ...options, metadata: Metadata({ "grpc-timeout": "2H" }) }),
      );
    const error = await call(await start());
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "grpc-timeout", bound: "3600000" } });
    expect(await call(await start({ limits: { [MODEL_READY]: { maxDeadlineMs: 8 * 3_600_000 } } }))).toBeUndefined();
  });

  it("takes the bound itself as clients send it that round up", async () => {
    const { infer } = await start();
    // What Python's gRPC makes of 3 600 s.
    expect(await infer.modelReady({ name: "m" }, { metadata: Metadata({ "grpc-timeout": "3610S" }) })).toEqual({
      ready: true,
    });
  });
});

describe("limits", () => {
  it("refuses a call beyond the concurrency of its method at once, and admits again when one ended", async () => {
    const gate = Promise.withResolvers<void>();
    let nRunning = 0;
    const full = Promise.withResolvers<void>();
    const behaviour = () => {
      nRunning += 1;
      if (nRunning === 2) full.resolve();
      return gate.promise;
    };
    const { infer, operations } = await start({ behaviour, config: { maxConcurrentPerMethod: 2 } });
    const two = [infer.modelReady({ name: "m" }), infer.modelReady({ name: "m" })];
    await full.promise;
    const error = await failureOf((options) => infer.modelReady({ name: "m" }, options));
    expect(error).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      details: { method: MODEL_READY, bound: "2", value: "2", retryAfterMs: "1000" },
    });
    gate.resolve();
    await Promise.all(two);
    expect(await infer.modelReady({ name: "m" })).toEqual({ ready: true });
    expect(await Array.fromAsync(operations.watchOperation({ afterSequence: 1n }))).toHaveLength(1);
  });

  it("counts streams too, and frees the slot of one whose reader left", async () => {
    const method = "parfocal.gateway.v1.OperationService/WatchOperation";
    const { operations } = await start({ limits: { [method]: { maxConcurrent: 1 } } });
    for await (const _ of operations.watchOperation({ afterSequence: 1_000_000n })) break;
    let states: unknown[] | undefined;
    while (states === undefined) {
      states = await Array.fromAsync(operations.watchOperation({ afterSequence: 1n })).catch(
        (error: { code: Status }) => {
          expect(error.code).toBe(Status.RESOURCE_EXHAUSTED);
          return undefined;
        },
      );
    }
    expect(states).toHaveLength(1);
  });

  it("refuses messages beyond the size, both ways", async () => {
    const { infer, operations } = await start({ config: { maxReceiveBytes: 1024, maxSendBytes: 1024 } });
    const status = (call: Promise<unknown>) =>
      call.then(
        () => Status.OK,
        (error: { code: Status }) => error.code,
      );
    expect(await status(infer.modelReady({ name: "m".repeat(2000) }))).toBe(Status.RESOURCE_EXHAUSTED);
    expect(await status(infer.modelReady({ name: "m".repeat(500) }))).toBe(Status.OK);
    const long = operations.watchOperation({ name: "o".repeat(1020), afterSequence: 1n });
    expect(await status(Array.fromAsync(long))).toBe(Status.RESOURCE_EXHAUSTED);
  });

  it("says of a message that is too large what the bound is and what to do instead", async () => {
    const { infer } = await start({ config: { maxReceiveBytes: 1024 } });
    const refused = infer.modelReady({ name: "m".repeat(2000) });
    await expect(refused).rejects.toThrow(/a message of 2003 bytes; the bound is 1024 .*by reference/);
  });
});

describe("who may", () => {
  it("refuses to listen for other machines unless told to", async () => {
    await expect(startEchoServer({ config: { host: "0.0.0.0" } })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    const { infer } = await start({ config: { host: "0.0.0.0", allowRemote: true } });
    expect(await infer.modelReady({ name: "m" })).toEqual({ ready: true });
  });

  it("says which address it could not have", async () => {
    const { server } = await start();
    await expect(startEchoServer({ config: { port: server.port } })).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("leaves nothing open when the port of its metrics is taken", async () => {
    const { server } = await start({ config: { metricsPort: 0 } });
    const other = await start();
    await other.server.stop({ drainMs: 0 });
    const closed: string[] = [];
    const readiness = {
      isReady: true,
      look: async () => true,
      attach() {},
      close: () => void closed.push("readiness"),
    };
    const config = { port: other.server.port, metricsPort: server.metricsPort };
    await expect(startEchoServer({ config, readiness })).rejects.toThrow(`:${server.metricsPort}`);
    expect(closed).toEqual(["readiness"]);
    const { infer } = await start({ config: { port: other.server.port } });
    expect(await infer.modelReady({ name: "m" })).toEqual({ ready: true });
  });

  it("asks its authorizer about every call before the handler sees it", async () => {
    const asked: string[] = [];
    const authorizer = {
      authorize: ({ method, metadata }: { method: string; metadata: Metadata }) => {
        asked.push(method);
        if (metadata.get("authorization") === "Bearer good") return { kind: "jwt", name: "somebody" };
        throw new DomainError("UNAUTHENTICATED", "the call carries no token");
      },
    };
    const { infer } = await start({ authorizer });
    const metadata = Metadata({ authorization: "Bearer good" });
    expect(await infer.modelReady({ name: "m" }, { metadata })).toEqual({ ready: true });
    expect(await failureOf((options) => infer.modelReady({ name: "m" }, options))).toMatchObject({
      code: "UNAUTHENTICATED",
    });
    expect(asked).toEqual([MODEL_READY, MODEL_READY]);
  });
});

describe("shutdown", () => {
  it("lets running calls end, tells them it drains, and refuses new ones", async () => {
    const gate = Promise.withResolvers<void>();
    const first = Promise.withResolvers<HandlerContext>();
    let nCalls = 0;
    const { server, infer } = await start({
      behaviour: async (context) => {
        nCalls += 1;
        if (nCalls > 1) return;
        first.resolve(context);
        await gate.promise;
      },
    });
    const call = infer.modelReady({ name: "m" });
    const context = await first.promise;
    const stopped = server.stop();
    expect([context.draining.aborted, context.signal.aborted, server.health.isServing()]).toEqual([true, false, false]);
    let refused: { code?: Status } = {};
    while (refused.code === undefined) {
      refused = await infer.modelReady({ name: "m" }).then(
        () => ({}),
        (error: { code: Status }) => error,
      );
    }
    expect(refused.code).toBe(Status.UNAVAILABLE);
    gate.resolve();
    expect(await call).toEqual({ ready: true });
    expect(await stopped).toEqual({ outcome: "drained" });
    expect(await server.stop()).toEqual({ outcome: "drained" });
  });

  it("serves on while it is a lame duck, and says so", async () => {
    const { server, infer } = await start({ config: { lameDuckMs: 3_600_000 } });
    const stopped = server.stop();
    expect(server.health.isServing()).toBe(false);
    expect(await infer.modelReady({ name: "m" })).toEqual({ ready: true });
    await server.stop({ drainMs: 0 });
    expect(await stopped).toEqual({ outcome: "drained" });
  });

  it("fires the signals of calls that outlast the drain, and they tell their callers UNREACHABLE", async () => {
    const { started, reason, behaviour } = waiting();
    const { server, infer } = await start({ behaviour });
    const error = failureOf((options) => infer.modelReady({ name: "m" }, options));
    await started;
    expect(await server.stop({ drainMs: 20 })).toEqual({ outcome: "aborted" });
    expect(await reason).toMatchObject({ code: "UNREACHABLE" });
    expect(await error).toMatchObject({ code: "UNREACHABLE" });
  });

  it("cuts calls that do not listen", async () => {
    const started = Promise.withResolvers<void>();
    const { server, infer } = await start({
      behaviour: () => {
        started.resolve();
        return new Promise(() => {});
      },
    });
    const call = infer.modelReady({ name: "m" }).catch((error: { code: Status }) => error.code);
    await started.promise;
    expect(await server.stop({ drainMs: 0 })).toEqual({ outcome: "forced" });
    expect([Status.UNAVAILABLE, Status.CANCELLED, Status.UNKNOWN]).toContain(await call);
  });

  it("hurries when told a second time", async () => {
    const { started, behaviour } = waiting();
    const { server, infer } = await start({ behaviour, config: { drainMs: 3_600_000 } });
    const call = infer.modelReady({ name: "m" }).catch((error: { code: Status }) => error.code);
    await started;
    const first = server.stop();
    await server.stop({ drainMs: 0 });
    expect(await first).toEqual({ outcome: "aborted" });
    expect(await call).toBe(Status.UNAVAILABLE);
  });

  it("does not wait for idle connections", async () => {
    const { server } = await start();
    const session = connect(`http://${server.address}`);
    await new Promise((resolve) => session.once("connect", resolve));
    expect(await server.stop()).toEqual({ outcome: "drained" });
    session.destroy();
  });
});
