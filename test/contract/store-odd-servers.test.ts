import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { DomainErrorCode } from "@parfocal/errors";
import { type ObjectStore, openStore, probeStore } from "@parfocal/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, type Fault, type FaultServer, type SeenRequest, startFaultServer } from "./s3-fault-server.ts";
import { bytesOf, collect, expectCode, isEqual, patternBytes, textOf } from "./store-contract-tools.ts";

const isMethod = (method: string) => (request: SeenRequest) => request.method === method;
const isList = (request: SeenRequest) => request.url.includes("list-type=");
const isCreate = (request: SeenRequest) => request.method === "POST" && !request.url.includes("uploadId=");
const isConditional = ({ method, headers }: SeenRequest) =>
  method === "PUT" && (headers["if-none-match"] ?? headers["if-match"]) !== undefined;

const refusal = (status: number, name: string): Fault => ({ kind: "status", status, name });
const withHeaders = (headers: Answer["headers"]): Fault => ({
  kind: "odd",
  change: (answer) => ({ ...answer, headers: { ...answer.headers, ...headers } }),
});
const page = (status: number, text: string): Fault => ({
  kind: "odd",
  change: () => ({ status, headers: {}, body: Buffer.from(text) }),
});
const html = page(200, "<html><body>Log in</body></html>");

describe("an S3 store over a server with ways of its own", () => {
  let server: FaultServer;
  let store: ObjectStore;
  beforeEach(async () => {
    server = await startFaultServer();
    store = openStore("s3://odd", server.storeOptions);
  });
  afterEach(async () => {
    store.close();
    await server.stop();
  });

  /** The next requests all meet the fault. */
  const failAll = (matches: (request: SeenRequest) => boolean, fault: Fault) =>
    server.fail(matches, ...Array.from({ length: 200 }, () => fault));
  const nSeen = (matches: (request: SeenRequest) => boolean) => server.seen.filter(matches).length;

  describe("connections", () => {
    it("wait for a free one as long as it takes, not as long as connecting may take", async () => {
      const narrow = openStore("s3://odd", {
        ...server.storeOptions,
        maxSockets: 2,
        connectTimeoutMs: 500,
        maxAttempts: 1,
      });
      await narrow.put("a", bytesOf("x"));
      failAll(isMethod("GET"), { kind: "delay", ms: 600 });
      const reads = await Promise.all(Array.from({ length: 4 }, () => narrow.get("a")));
      expect(reads.map(({ bytes }) => textOf(bytes))).toEqual(["x", "x", "x", "x"]);
      narrow.close();
    });

    it("are left for other calls by streams that nobody reads on", async () => {
      const narrow = openStore("s3://odd", {
        ...server.storeOptions,
        maxSockets: 4,
        connectTimeoutMs: 1000,
        maxAttempts: 1,
      });
      const bytes = patternBytes(20_000_000);
      await narrow.put("a", bytes);
      const streams = Array.from({ length: 4 }, () => narrow.getStream("a"));
      await Promise.all(streams.slice(0, 2));
      await narrow.put("b", bytesOf("beside"));
      expect((await narrow.head("b")).sizeBytes).toBe(6);
      for (const stream of streams) expect(isEqual(await collect((await stream).chunks), bytes)).toBe(true);
      narrow.close();
    });

    it("suffice for a put of a stream of the same store at the smallest setting", async () => {
      const narrow = openStore("s3://odd", { ...server.storeOptions, maxSockets: 2 });
      const bytes = patternBytes(17_000_000);
      await narrow.put("a", bytes);
      await narrow.put("copy", (await narrow.getStream("a")).chunks);
      expect(isEqual(server.objects.get("/odd/copy")?.bytes ?? Buffer.alloc(0), bytes)).toBe(true);
      narrow.close();
      expect(() => openStore("s3://odd", { maxSockets: 1 })).toThrow("maxSockets is 1, outside 2 to 1024");
    });

    it("are UNREACHABLE when TLS is not there in time", async () => {
      const silent = createServer(() => {});
      await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
      const endpoint = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const options = { ...server.storeOptions, endpoint, connectTimeoutMs: 200, maxAttempts: 1 };
      const dead = openStore("s3://odd", options);
      const error = await expectCode(dead.get("a"), "UNREACHABLE");
      expect(error.message).toContain("ETIMEDOUT");
      dead.close();
      silent.close();
    });
  });

  describe("answers to writes", () => {
    it.each([
      ["a page of a proxy", html],
      ["no tag", withHeaders({ etag: undefined })],
      ["an empty tag", withHeaders({ etag: '""' })],
    ])("confirm nothing with %s: the write is tried again, and is UNREACHABLE in the end", async (_name, fault) => {
      server.fail(isMethod("PUT"), fault);
      expect((await store.put("a", bytesOf("x"), { ifNoneMatch: "*" })).etag).toBe((await store.head("a")).etag);
      failAll(isMethod("PUT"), fault);
      await expectCode(store.put("b", bytesOf("x")), "UNREACHABLE");
    });

    it("confirm no part without a tag", async () => {
      server.fail(isMethod("PUT"), html);
      const bytes = patternBytes(11_000_000);
      await store.put("a", bytes);
      expect(isEqual(server.objects.get("/odd/a")?.bytes ?? Buffer.alloc(0), bytes)).toBe(true);
      // Three parts, one of them twice.
      expect(nSeen(isMethod("PUT"))).toBe(4);
    });

    it("are tried again when the server's clock is another", async () => {
      server.fail(isMethod("PUT"), refusal(403, "RequestTimeTooSkewed"));
      await store.put("a", bytesOf("x"));
      expect(nSeen(isMethod("PUT"))).toBe(2);
    });
  });

  describe("answers to reads", () => {
    beforeEach(async () => {
      await store.put("a", patternBytes(1000));
    });

    it.each([
      ["no tag", { etag: undefined }, "the store gave no version of the object"],
      ["no length", { "content-length": undefined }, "the store gave no size of the object"],
    ])("are refused with %s", async (_name, headers, message) => {
      failAll(isMethod("GET"), withHeaders(headers));
      failAll(isMethod("HEAD"), withHeaders(headers));
      for (const read of [store.get, store.getStream, store.head]) {
        expect((await expectCode(read("a"), "UNSUPPORTED_OPERATION")).message).toBe(message);
      }
    });

    it.each([undefined, "bytes 0-199/*"])("are refused with the range %s", async (range) => {
      failAll(isMethod("GET"), withHeaders({ "content-range": range }));
      for (const start of [0, 100]) {
        await expectCode(store.get("a", { range: { start, end: 200 } }), "UNSUPPORTED_OPERATION");
      }
    });

    it("are CORRUPT, also streamed, when they are longer than the range", async () => {
      const longer: Fault = {
        kind: "odd",
        change: (answer) => ({ ...answer, body: Buffer.concat([answer.body, answer.body]) }),
      };
      failAll(isMethod("GET"), longer);
      const range = { start: 100, end: 200 };
      await expectCode(store.get("a", { range }), "CORRUPT");
      await expectCode(collect((await store.getStream("a", { range })).chunks), "CORRUPT");
    });

    it("are PRECONDITION_FAILED when the server ignores the version that was asked for", async () => {
      failAll(isMethod("GET"), { kind: "odd", ignores: ["if-match"] });
      await expectCode(store.get("a", { ifMatch: '"another"' }), "PRECONDITION_FAILED");
      await expectCode(store.get("a", { ifMatch: "" }), "PRECONDITION_FAILED");
    });

    it("never mix two versions where the server ignores the version that was asked for", async () => {
      await store.put("big", patternBytes(3_000_000));
      server.fail(isMethod("GET"), { kind: "truncate", afterBytes: 1_000_000 });
      const { chunks } = await store.getStream("big");
      await store.put("big", patternBytes(3_000_000, 9));
      failAll(isMethod("GET"), { kind: "odd", ignores: ["if-match"] });
      await expectCode(collect(chunks), "PRECONDITION_FAILED");
    });
  });

  describe("refusals", () => {
    it.each([
      [400, "ExpiredToken", "FORBIDDEN"],
      [400, "InvalidToken", "FORBIDDEN"],
      [400, "TokenRefreshRequired", "FORBIDDEN"],
      [307, "TemporaryRedirect", "INVALID_ARGUMENT"],
    ] satisfies [number, string, DomainErrorCode][])("%i %s is %s", async (status, name, code) => {
      server.fail(isMethod("GET"), refusal(status, name));
      await expectCode(store.get("a"), code);
      expect(nSeen(isMethod("GET"))).toBe(1);
    });

    it.each([408, 425])("%i is tried again", async (status) => {
      await store.put("a", bytesOf("x"));
      server.fail(isMethod("GET"), page(status, "<html></html>"));
      server.fail(isMethod("HEAD"), page(status, ""));
      expect(textOf((await store.get("a")).bytes)).toBe("x");
      expect((await store.head("a")).sizeBytes).toBe(1);
    });

    it("of a HEAD, which has no text, are FORBIDDEN when they are 400", async () => {
      server.fail(isMethod("HEAD"), refusal(400, "ExpiredToken"));
      const error = await expectCode(store.head("a"), "FORBIDDEN");
      expect(error.message).toBe("the store refused the request: credentials or region");
    });

    it("of a deletion are none when there is no such object, and stay when there is no such bucket", async () => {
      server.fail(isMethod("DELETE"), refusal(404, "NoSuchKey"), refusal(404, "NoSuchBucket"));
      await store.delete("a");
      await expectCode(store.delete("a"), "NOT_FOUND");
    });
  });

  describe("listings", () => {
    const listing = (inner: string) => page(200, `<?xml version="1.0"?><ListBucketResult>${inner}</ListBucketResult>`);
    const entry = "<Contents><Key>a</Key><Size>1</Size><ETag>&quot;x&quot;</ETag></Contents>";

    it.each([
      ["a page of a proxy", html],
      ["nothing", page(200, "")],
      ["a text", page(200, "OK")],
      ["no word of an end", listing(entry)],
      ["a next page without a token", listing(`<IsTruncated>true</IsTruncated>${entry}`)],
      [
        "a next page that is the same",
        listing(`<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>${entry}`),
      ],
    ])("are no end with %s: they are tried again, and UNREACHABLE in the end", async (_name, fault) => {
      await store.put("a", bytesOf("x"));
      server.fail(isList, fault);
      expect((await store.list("", { pageToken: "A" })).objects.map(({ key }) => key)).toEqual(["a"]);
      failAll(isList, fault);
      await expectCode(store.list("", { pageToken: "t" }), "UNREACHABLE");
    });

    it("have objects without tag and time as they come", async () => {
      server.fail(isList, listing("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents>"));
      expect((await store.list("")).objects).toEqual([{ key: "a", sizeBytes: 1, etag: "", lastModifiedMs: 0 }]);
    });
  });

  describe("the probe", () => {
    it.each([
      [400, "InvalidArgument"],
      [405, "MethodNotAllowed"],
      [501, "NotImplemented"],
    ])("finds that conditional writes are refused by %i %s, and cleans up", async (status, name) => {
      failAll(isConditional, refusal(status, name));
      expect(await probeStore(store)).toMatchObject({ conditionalPuts: "refused", conditionalUpdates: "refused" });
      expect(server.objects.size).toBe(0);
    });

    it("fails where nothing can be written", async () => {
      failAll(isMethod("PUT"), refusal(400, "AuthorizationHeaderMalformed"));
      await expectCode(probeStore(store), "INVALID_ARGUMENT");
    });
  });

  describe("cancelled uploads", () => {
    const bytes = patternBytes(11_000_000);

    it("leave nothing when they were being opened", async () => {
      server.fail(isCreate, { kind: "delay", ms: 100 });
      const controller = new AbortController();
      const put = store.put("a", bytes, { signal: controller.signal });
      const cancelled = expectCode(put, "CANCELLED");
      while (nSeen(isCreate) === 0) await new Promise(setImmediate);
      controller.abort();
      await cancelled;
      expect(nSeen(isMethod("DELETE"))).toBe(1);
      expect(server.uploads.size).toBe(0);
    });

    it("do not wait for a server that is dead", async () => {
      failAll(isMethod("PUT"), { kind: "stall" });
      failAll(isMethod("DELETE"), { kind: "stall" });
      const patient = openStore("s3://odd", { ...server.storeOptions, idleTimeoutMs: 3_600_000 });
      const controller = new AbortController();
      const cancelled = expectCode(patient.put("a", bytes, { signal: controller.signal }), "CANCELLED");
      while (nSeen(isMethod("PUT")) === 0) await new Promise(setImmediate);
      controller.abort();
      await cancelled;
      expect(nSeen(isMethod("DELETE"))).toBe(1);
      patient.close();
    });
  });
});
