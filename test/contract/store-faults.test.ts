import { createHash } from "node:crypto";
import type { DomainErrorCode } from "@parfocal/errors";
import { type ObjectStore, openStore, readVerified } from "@parfocal/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Fault, type FaultServer, type SeenRequest, startFaultServer } from "./s3-fault-server.ts";
import { bytesOf, collect, expectCode, isEqual, patternBytes, streamOf, textOf } from "./store-contract-tools.ts";

const slowDown: Fault = { kind: "status", status: 503, name: "SlowDown" };
const internal: Fault = { kind: "status", status: 500, name: "InternalError" };
const reset: Fault = { kind: "reset", isApplied: false };
const lostAnswer: Fault = { kind: "reset", isApplied: true };

const isMethod = (method: string) => (request: SeenRequest) => request.method === method;
const isPart = (partNumber: number) => (request: SeenRequest) =>
  request.method === "PUT" && request.url.includes(`partNumber=${partNumber}&`);
const isComplete = (request: SeenRequest) => request.method === "POST" && request.url.includes("uploadId=");

describe("an S3 store over a server that fails", () => {
  let server: FaultServer;
  let store: ObjectStore;
  beforeEach(async () => {
    server = await startFaultServer();
    store = openStore("s3://faulty", server.storeOptions);
  });
  afterEach(async () => {
    store.close();
    await server.stop();
  });

  /** Gives up on silence soon. Only for faults that are silence: a busy machine is silent now and then, too. */
  const openFor = ({ kind }: Fault) =>
    openStore("s3://faulty", kind === "stall" ? { ...server.storeOptions, idleTimeoutMs: 1000 } : server.storeOptions);

  const nSeen = (matches: (request: SeenRequest) => boolean) => server.seen.filter(matches).length;

  describe("retries", () => {
    it.each([
      ["500 InternalError", internal],
      ["503 SlowDown", slowDown],
      ["429 TooManyRequests", { kind: "status", status: 429, name: "TooManyRequests" }],
      ["a reset connection", reset],
      ["a body that ends early", { kind: "truncate", afterBytes: 7 }],
      ["an answer that never comes", { kind: "stall" }],
      ["a body that stalls", { kind: "stall", afterBytes: 7 }],
    ] satisfies [string, Fault][])("reads after %s", async (_name, fault) => {
      await store.put("a", bytesOf("hello world"));
      server.fail(isMethod("GET"), fault, fault);
      expect(textOf((await openFor(fault).get("a")).bytes)).toBe("hello world");
      expect(nSeen(isMethod("GET"))).toBe(3);
    });

    it.each([
      [slowDown, "THROTTLED"],
      [internal, "UNREACHABLE"],
      [reset, "UNREACHABLE"],
      [{ kind: "truncate", afterBytes: 3 }, "TRUNCATED"],
      [{ kind: "stall" }, "UNREACHABLE"],
    ] satisfies [Fault, DomainErrorCode][])("gives up after 4 tries with %j: %s", async (fault, code) => {
      await store.put("a", bytesOf("hello world"));
      server.fail(isMethod("GET"), fault, fault, fault, fault, fault);
      await expectCode(openFor(fault).get("a"), code);
      expect(nSeen(isMethod("GET"))).toBe(4);
    });

    it.each([
      [403, "AccessDenied", "FORBIDDEN"],
      [400, "InvalidArgument", "INVALID_ARGUMENT"],
      [501, "NotImplemented", "UNSUPPORTED_OPERATION"],
      [507, "XMinioStorageFull", "RESOURCE_EXHAUSTED"],
    ] as const)("does not repeat what %i %s refuses: %s", async (status, name, code) => {
      server.fail(isMethod("PUT"), { kind: "status", status, name });
      await expectCode(store.put("a", bytesOf("x")), code);
      expect(nSeen(isMethod("PUT"))).toBe(1);
    });

    it("waits as long as the server asks", async () => {
      await store.put("a", bytesOf("x"));
      server.fail(isMethod("GET"), { ...slowDown, retryAfterS: 1 });
      const startMs = performance.now();
      await store.get("a");
      expect(performance.now() - startMs).toBeGreaterThan(990);
    });

    it("stops waiting when it is cancelled", async () => {
      server.fail(isMethod("GET"), { ...slowDown, retryAfterS: 15 });
      const startMs = performance.now();
      await expectCode(store.get("a", { signal: AbortSignal.timeout(100) }), "DEADLINE_EXCEEDED");
      expect(performance.now() - startMs).toBeLessThan(10_000);
    });

    it("repeats deletes, heads and listings", async () => {
      await store.put("a", bytesOf("x"));
      server.fail(isMethod("HEAD"), reset);
      expect((await store.head("a")).sizeBytes).toBe(1);
      server.fail(isMethod("DELETE"), lostAnswer);
      await store.delete("a");
      expect(nSeen(isMethod("DELETE"))).toBe(2);
    });
  });

  describe("streams", () => {
    it("continue where the body broke, pinned to the version, and give every byte once", async () => {
      const bytes = patternBytes(3_000_000);
      const { etag } = await store.put("a", bytes);
      server.fail(isMethod("GET"), { kind: "truncate", afterBytes: 1_000_000 }, slowDown, {
        kind: "truncate",
        afterBytes: 500_000,
      });
      expect(isEqual(await collect((await store.getStream("a")).chunks), bytes)).toBe(true);
      const later = server.seen.filter(isMethod("GET")).slice(1);
      expect(later.length).toBeGreaterThanOrEqual(3);
      for (const { headers } of later) expect(headers["if-match"]).toBe(etag);
    });

    it("are PRECONDITION_FAILED when the object was replaced while they were broken", async () => {
      await store.put("a", patternBytes(3_000_000));
      server.fail(isMethod("GET"), { kind: "truncate", afterBytes: 1_000_000 });
      const { chunks } = await store.getStream("a");
      await store.put("a", patternBytes(3_000_000, 9));
      await expectCode(collect(chunks), "PRECONDITION_FAILED");
    });

    it("are TRUNCATED when the body always ends at the same byte", async () => {
      await store.put("a", patternBytes(100_000));
      const cut: Fault = { kind: "truncate", afterBytes: 0 };
      server.fail(isMethod("GET"), { kind: "truncate", afterBytes: 50_000 }, cut, cut, cut, cut, cut);
      const error = await expectCode(collect((await store.getStream("a")).chunks), "TRUNCATED");
      expect(error.message).toMatch(/after \d+ of 100000 bytes/);
    });
  });

  describe("conditional writes whose answer is lost", () => {
    it("know a created object as their own", async () => {
      server.fail(isMethod("PUT"), lostAnswer);
      const info = await store.put("a", bytesOf("mine"), { ifNoneMatch: "*" });
      expect(info).toMatchObject({ sizeBytes: 4, etag: (await store.head("a")).etag });
    });

    it("know a replaced object as their own", async () => {
      const { etag } = await store.put("a", bytesOf("old"));
      server.fail(isMethod("PUT"), lostAnswer);
      await store.put("a", bytesOf("mine"), { ifMatch: etag });
      expect(textOf((await store.get("a")).bytes)).toBe("mine");
    });

    it("are PRECONDITION_FAILED when another writer was first", async () => {
      server.fail(isMethod("PUT"), reset);
      server.objects.set("/faulty/a", { bytes: Buffer.from("theirs"), writeId: "theirs" });
      await expectCode(store.put("a", bytesOf("mine"), { ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      expect(textOf((await store.get("a")).bytes)).toBe("theirs");
    });

    it("are repeated when they were refused though their condition holds", async () => {
      const refused: Fault = { kind: "status", status: 412, name: "PreconditionFailed" };
      server.fail(isMethod("PUT"), refused, refused);
      const { etag } = await store.put("a", bytesOf("mine"), { ifNoneMatch: "*" });
      server.fail(isMethod("PUT"), refused);
      await store.put("a", bytesOf("new"), { ifMatch: etag });
      expect(textOf((await store.get("a")).bytes)).toBe("new");
      server.fail(isMethod("PUT"), refused, refused, refused, refused);
      await expectCode(store.put("b", bytesOf("mine"), { ifNoneMatch: "*" }), "THROTTLED");
    });

    it("are repeated after 409 ConditionalRequestConflict", async () => {
      server.fail(isMethod("PUT"), { kind: "status", status: 409, name: "ConditionalRequestConflict" });
      await store.put("a", bytesOf("mine"), { ifNoneMatch: "*" });
      expect(nSeen(isMethod("PUT"))).toBe(2);
    });
  });

  describe("uploads in parts", () => {
    const bytes = patternBytes(17_000_000);

    it("send a failed part again, alone, also when the body is a stream", async () => {
      for (const body of [bytes, streamOf(bytes, 999_983)]) {
        server.seen.length = 0;
        server.fail(isPart(2), slowDown, reset, lostAnswer);
        await store.put("a", body);
        expect(isEqual(server.objects.get("/faulty/a")?.bytes ?? Buffer.alloc(0), bytes)).toBe(true);
        expect(nSeen(isPart(2))).toBe(4);
        for (const other of [1, 3, 4]) expect(nSeen(isPart(other))).toBe(1);
      }
    });

    it("are aborted when one part cannot be sent", async () => {
      server.fail(isPart(3), internal, internal, internal, internal);
      await expectCode(store.put("a", bytes), "UNREACHABLE");
      expect(server.uploads.size).toBe(0);
      expect(server.objects.size).toBe(0);
    });

    it("are finished although the answer to the last request was lost", async () => {
      server.fail(isComplete, lostAnswer);
      expect((await store.put("a", bytes, { ifNoneMatch: "*" })).sizeBytes).toBe(bytes.length);
      expect(server.objects.get("/faulty/a")?.bytes).toHaveLength(bytes.length);
    });

    it("give the error of the part, not that of the abort", async () => {
      server.fail(isPart(1), { kind: "status", status: 403, name: "AccessDenied" });
      server.fail(isMethod("DELETE"), internal, internal, internal, internal);
      await expectCode(store.put("a", bytes), "FORBIDDEN");
    });
  });

  describe("integrity", () => {
    it("readVerified finds what the wire changed", async () => {
      const bytes = patternBytes(200_000);
      await store.put("a", bytes);
      const options = { digest: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
      server.fail(isMethod("GET"), { kind: "flip" });
      expect(isEqual(await readVerified(store, "a", options), bytes)).toBe(true);
      expect(nSeen(isMethod("GET"))).toBe(2);
      server.fail(isMethod("GET"), { kind: "flip" }, { kind: "flip" });
      await expectCode(readVerified(store, "a", options), "CORRUPT");
    });

    it("whole reads of small objects are free of what the wire changed", async () => {
      await store.put("a", bytesOf("hello"));
      server.fail(isMethod("GET"), { kind: "flip" }, { kind: "flip" });
      expect(textOf((await store.get("a")).bytes)).toBe("hello");
      expect(nSeen(isMethod("GET"))).toBe(3);
    });

    it("the checksum of the server is checked in the mode when_supported", async () => {
      const checking = openStore("s3://faulty", { ...server.storeOptions, checksumMode: "when_supported" });
      // The server sends the checksum of nothing with everything.
      await store.put("a", bytesOf("hello"));
      await expectCode(checking.get("a"), "CORRUPT");
      await expectCode(collect((await checking.getStream("a")).chunks), "CORRUPT");
      expect(textOf((await store.get("a")).bytes)).toBe("hello");
      checking.close();
    });
  });
});
