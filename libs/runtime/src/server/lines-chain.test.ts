import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { inferenceV2 } from "@parfocal/protocol";
import { createChannel, createClient, Status } from "nice-grpc";
import { afterEach, describe, expect, it } from "vitest";
import type { AuditRecord } from "../security/audit-log.ts";
import { type EchoOptions, startEchoServer } from "../testing/echo-server.ts";
import { lineOver, MODEL_READY } from "../testing/raw-line.ts";
import type { Authorizer, Principal } from "./authorizer.ts";

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
  const infer = createClient(inferenceV2.GRPCInferenceServiceDefinition, channel);
  return { server, infer, open: (token?: string) => lineOver(channel, token) };
}

/** Knows callers by the name that they show as their token. */
function principals(byToken: Readonly<Record<string, Partial<Principal>>>): Authorizer {
  return {
    authorize: ({ metadata }) => {
      const name = metadata.get("authorization") ?? "";
      return { kind: "jwt", name, ...byToken[name] };
    },
  };
}

describe("of the calls on a line each", () => {
  it("is authorized by itself", async () => {
    const asked: string[][] = [];
    const authorizer: Authorizer = {
      authorize({ method, metadata }) {
        asked.push([method, metadata.get("authorization") ?? ""]);
        if (metadata.get("authorization") === "bad")
          throw new DomainError("UNAUTHENTICATED", "the token is worth nothing");
        return { kind: "jwt", name: "somebody" };
      },
    };
    const handled: string[] = [];
    const line = (await start({ authorizer, behaviour: ({ requestId }) => void handled.push(requestId) })).open("good");
    expect(await line.call({ metadata: { authorization: "bad" } })).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(handled).toEqual([]);
    expect(await line.call({ metadata: { authorization: "other" } })).toEqual(READY);
    expect(asked).toEqual([
      [OPEN, "good"],
      [MODEL_READY, "bad"],
      [MODEL_READY, "other"],
    ]);
  });

  it("is authorized for its own method", async () => {
    const authorizer: Authorizer = {
      authorize({ method }) {
        if (method === MODEL_READY) throw new DomainError("FORBIDDEN", `${method} is for others`);
        return { kind: "jwt", name: "somebody" };
      },
    };
    const line = (await start({ authorizer })).open();
    expect(await line.call()).toMatchObject({ code: "FORBIDDEN" });
    const method = "inference.GRPCInferenceService/ModelInfer";
    expect(await line.call({ method })).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("counts for its caller, and the line does not", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const authorizer = principals({ one: { limits: { concurrent: 1 } } });
    const behaviour = () => {
      started.resolve();
      return gate.promise;
    };
    const { open } = await start({ authorizer, behaviour });
    const lines = [open("one"), open("one")];
    const metadata = { authorization: "one" };
    const first = lines[0]!.call({ metadata });
    await started.promise;
    const details = { quota: "concurrent calls", bound: "1" };
    expect(await lines[1]!.call({ metadata })).toMatchObject({ code: "RESOURCE_EXHAUSTED", details });
    gate.resolve();
    expect(await first).toEqual(READY);
    expect(await lines[1]!.call({ metadata })).toEqual(READY);
  });

  it("takes from its caller's rate, and the line does not", async () => {
    const line = (await start({ authorizer: principals({ two: { limits: { ratePerS: 1e-6, burst: 2 } } }) })).open(
      "two",
    );
    const call = () => line.call({ metadata: { authorization: "two" } });
    expect([await call(), await call()]).toEqual([READY, READY]);
    expect(await call()).toMatchObject({ code: "RESOURCE_EXHAUSTED", details: { quota: "calls per second" } });
  });

  it("counts for its method", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const behaviour = () => {
      started.resolve();
      return gate.promise;
    };
    const { infer, open } = await start({ behaviour, limits: { [MODEL_READY]: { maxConcurrent: 1 } } });
    const alone = infer.modelReady({ name: "m" });
    await started.promise;
    const line = open();
    expect(await line.call()).toMatchObject({ code: "RESOURCE_EXHAUSTED", details: { method: MODEL_READY } });
    gate.resolve();
    await alone;
    expect(await line.call()).toEqual(READY);
  });

  it("is kept to its caller's projects, whatever its metadata name", async () => {
    const line = (await start({ authorizer: principals({ bound: { projects: ["mine"] } }) })).open("bound");
    const metadata = { authorization: "bound", "x-note": "projects/others" };
    expect(await line.call({ metadata, name: "projects/mine/models/m" })).toEqual(READY);
    for (const name of ["projects/others/models/m", "m"]) {
      expect(await line.call({ metadata, name })).toMatchObject({ code: "FORBIDDEN" });
    }
    expect(await line.call({ metadata, name: "projects/mine/models/m" })).toEqual(READY);
  });

  it("has its audit record", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-lines-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const auditFile = join(folder, "audit.jsonl");
    const { server, open } = await start({ config: { auditFile }, authorizer: principals({}) });
    const line = open("opener");
    const metadata = { authorization: "caller", "x-request-id": "r-1", "x-note": "projects/noted" };
    await line.call({ metadata, name: "projects/p/models/m" });
    await line.call({ metadata, timeoutMs: 7_200_000n });
    await line.call({ metadata, request: Buffer.of(0x0a, 0xff) });
    await line.call({ metadata, method: "Doe^Jane" });
    line.end();
    await server.stop();
    const records = (await readFile(auditFile, "utf8")).trimEnd().split("\n");
    const told = records.map((record) => {
      const { method, principal, requestId, project, code, host } = JSON.parse(record) as AuditRecord;
      expect(host).toBe("127.0.0.1");
      return [method, principal, method === OPEN ? undefined : requestId, project, code];
    });
    expect(told).toEqual([
      [MODEL_READY, "caller", "r-1", "p", Status[Status.OK]],
      [MODEL_READY, "caller", "r-1", undefined, Status[Status.INVALID_ARGUMENT]],
      [MODEL_READY, undefined, undefined, undefined, "UNREAD"],
      [OPEN, "opener", undefined, undefined, Status[Status.OK]],
    ]);
  });
});
