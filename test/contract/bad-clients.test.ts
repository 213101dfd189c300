import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import { openStore } from "@parfocal/store";
import { Status } from "nice-grpc-common";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { imageOptionsOf } from "../lib/image-options.ts";
import { framed, openSession, rawCall, residentBytesOf } from "../lib/raw-grpc.ts";
import { PARENT, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Clients, createClients, type ServiceProcess, startServiceProcess } from "../lib/services.ts";

const LIST_BAGS = "parfocal.gateway.v1.BagService/ListBags";
const TRAIN = "parfocal.gateway.v1.TrainingService/Train";
const UPLOAD = "parfocal.gateway.v1.BagService/UploadBag";
const DOWNLOAD = "parfocal.gateway.v1.OperationService/DownloadResult";
/** Readers of one file who take nothing of it. */
const N_SLOW_READERS = 40;
const WATCH = "parfocal.gateway.v1.OperationService/WatchOperation";
const WAIT = "google.longrunning.Operations/WaitOperation";
const MIB = 1024 * 1024;
/** HTTP/2's code of a stream that nobody wants any more. */
const CANCEL = 8;

/**
 * How much more memory than before its first bad client the gateway may hold at the end of all of them. Node keeps freed
 * pages for a while and its heap grows before it is swept: a leak of one flood's messages would be several times this.
 */
const MAX_GROWTH_BYTES = 160 * MIB;

const { OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL } = Status;

const isLinux = process.platform === "linux";
if (!isLinux)
  console.warn("bad-clients.test.ts is skipped: the memory of the gateway is read from /proc, which Linux has");

describe.skipIf(!isLinux)("a gateway among bad clients", () => {
  let aggregate: ServiceProcess;
  let gateway: ServiceProcess;
  let clients: Clients;
  let session: ClientHttp2Session;
  let residentBefore: number;
  let storeUri: string;
  /** An operation that runs as long as the tests. */
  let running: string;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    storeUri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-bad-"))).href;
    const env = { PARFOCAL_STORE: storeUri };
    aggregate = await startServiceProcess("aggregate", env);
    const { nodeOptions, execArgv } = await imageOptionsOf("gateway");
    const own = { ...env, PARFOCAL_AGGREGATE_ADDRESS: aggregate.address, NODE_OPTIONS: nodeOptions };
    const keepalive = { PARFOCAL_KEEPALIVE_TIME_MS: "10000", PARFOCAL_KEEPALIVE_TIMEOUT_MS: "1000" };
    gateway = await startServiceProcess("gateway", { ...own, ...keepalive }, execArgv);
    clients = createClients(gateway.address, { retry: { maxAttempts: 1 } });
    const slides = plantCohort(16);
    const names = await uploadCohort(clients, slides);
    running = (await clients.training.train(trainRequest(slides, names, { epochs: 10_000 }))).name;
    session = await openSession(gateway.address);
    residentBefore = await residentBytesOf(gateway.process.pid!);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    // Whatever the client did, the next one is served.
    expect((await clients.bags.listBags({ parent: PARENT, pageSize: 1 })).bags).toHaveLength(1);
  });
  afterAll(async () => {
    session?.destroy();
    clients?.channel.close();
    await gateway?.end("SIGKILL");
    await aggregate?.end("SIGKILL");
  });

  const codeOf = async (call: Parameters<typeof rawCall>[1], on = session) => (await rawCall(on, call)).code;
  const list = gatewayV1.ListBagsRequest.encode({ parent: PARENT, pageSize: 1, pageToken: "" }).finish();

  it("serves a good one", async () => {
    expect(await codeOf({ path: LIST_BAGS, body: framed(list) })).toBe(OK);
  });

  it.each([
    ["bytes that are no message", framed(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff)), INTERNAL],
    ["a group that never ends", framed(Buffer.alloc(100_000, 0x0b)), INTERNAL],
    ["a compressed message that is none", framed(Buffer.from("not gzip"), { isCompressed: true }), INTERNAL],
    ["a message said to be 4 GB", framed(list, { length: 2 ** 32 - 1 }), RESOURCE_EXHAUSTED],
    ["a message of 5 MiB", framed(Buffer.alloc(5 * MIB)), RESOURCE_EXHAUSTED],
    [
      "one that unfolds to 512 MiB",
      framed(gzipSync(Buffer.alloc(512 * MIB)), { isCompressed: true }),
      RESOURCE_EXHAUSTED,
    ],
  ])("refuses %s", async (_, body, code) => {
    const headers = { "grpc-encoding": "gzip" };
    for (const path of [LIST_BAGS, TRAIN, UPLOAD, WATCH]) expect(await codeOf({ path, body, headers })).toBe(code);
  });

  it("refuses an encoding that it does not know, another content type, and what it does not serve", async () => {
    const body = framed(list, { isCompressed: true });
    expect(await codeOf({ path: LIST_BAGS, body, headers: { "grpc-encoding": "brotli" } })).toBe(UNIMPLEMENTED);
    const plain = await rawCall(session, { path: LIST_BAGS, headers: { "content-type": "text/plain" } });
    expect(plain.httpStatus).toBe(415);
    for (const path of ["parfocal.gateway.v1.BagService/Nothing", "x", "../etc/passwd", ""]) {
      expect(await codeOf({ path, body: framed(list) })).toBe(UNIMPLEMENTED);
    }
  });

  it.each([
    ["of 2 hours", "2H", [INVALID_ARGUMENT]],
    ["of a nanosecond", "1n", [DEADLINE_EXCEEDED]],
    ["of none of its units", "10y", [INTERNAL]],
    ["of words", "soon", [INTERNAL]],
    ["below nothing", "-5S", [OK, INTERNAL, DEADLINE_EXCEEDED]],
    // grpc-js 1.14 counts in 32 bits: what is longer than 24 days may pass for over before it is looked at.
    ["of eleven thousand years", "99999999H", [INVALID_ARGUMENT, DEADLINE_EXCEEDED]],
  ])("answers a deadline %s", async (_, timeout, codes) => {
    const answer = await rawCall(session, {
      path: LIST_BAGS,
      body: framed(list),
      headers: { "grpc-timeout": timeout },
    });
    expect(codes).toContain(answer.code);
  });

  it.each([
    ["climbs", "projects/.."],
    ["climbs twice", "projects/../.."],
    ["climbs to another project", "projects/test/../other"],
    ["climbs out of a collection", "projects/test/bags/../../other"],
    ["stays where it is", "projects/./x"],
    ["has an empty part", "projects//x"],
    ["climbs in disguise", "projects/%2e%2e"],
    ["ends early", "projects/test\0"],
    ["climbs with backslashes", "projects/test\\..\\x"],
    ["is a relative path", "../../etc/passwd"],
    ["is an absolute path", "/etc/passwd"],
    ["has 100 000 letters", `projects/${"a".repeat(100_000)}`],
    ["turns the reading direction", "projects/\u202e"],
  ])("reads nothing under a name that %s", async (_, name) => {
    const refused = { code: "INVALID_ARGUMENT" };
    const absent = "0".repeat(64);
    const calls = [
      clients.bags.listBags({ parent: name }),
      clients.bags.getBag({ name: `${name}/bags/${absent}` }),
      clients.bags.deleteBag({ name }),
      clients.bags.importBags({ parent: name, uris: ["file:///x"] }),
      clients.models.getModel({ name }),
      clients.models.deleteModel({ name: `${name}/models/m/versions/v` }),
      clients.models.setAlias({ name: `${name}/models/m/aliases/a` }),
      clients.models.listModels({ parent: name }),
      clients.operations.getOperation({ name }),
      clients.operations.cancelOperation({ name: `${name}/operations/x` }),
      clients.operations.deleteOperation({ name }),
      clients.operations.listOperations({ name }),
      clients.prediction.predict({ model: `${name}/models/m`, bag: `${name}/bags/${absent}` }),
      clients.training.train({ parent: name, modelId: "m" }),
      clients.training.train({ parent: PARENT, modelId: name }),
      Array.fromAsync(clients.watching.watchOperation({ name })),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject(refused);
  });

  it.each([
    "file:///etc/passwd",
    "file:///../../etc/passwd",
    "s3://somebody/else",
    "http://169.254.169.254/latest/meta-data",
    "../../etc/passwd",
    "",
  ])("imports nothing from %j", async (uri) => {
    const code = await clients.bags
      .importBags({ parent: PARENT, uris: [uri] })
      .catch((error) => (error as { code: string }).code);
    expect(code).toBe("FORBIDDEN");
  });

  it("refuses more headers than it can hold", async () => {
    const own = await openSession(gateway.address);
    const answer = await rawCall(own, { path: LIST_BAGS, headers: { "x-request-id": "a".repeat(1_000_000) } });
    expect(answer.code === undefined ? answer.reset : answer.code).not.toBe(OK);
    own.destroy();
  });

  it("admits its bound of a flood of waiting calls and tells the rest when to come again", async () => {
    const wait = googleLongrunning.WaitOperationRequest.encode({ name: running, timeout: { seconds: 3n, nanos: 0 } });
    const body = framed(wait.finish());
    const own = await openSession(gateway.address);
    const codes = await Promise.all(Array.from({ length: 1000 }, () => codeOf({ path: WAIT, body }, own)));
    expect(codes.filter((code) => code === OK)).toHaveLength(64);
    expect(codes.filter((code) => code === RESOURCE_EXHAUSTED)).toHaveLength(1000 - 64);
    const filling = Array.from({ length: 64 }, () => codeOf({ path: WAIT, body }, own));
    const refused = await clients.operations.waitOperation({ name: running }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "RESOURCE_EXHAUSTED", details: { retryAfterMs: "1000", bound: "64" } });
    await Promise.all(filling);
    own.destroy();
  });

  it("outlives ten thousand calls that are cancelled as soon as they are made", async () => {
    const headers = { ":method": "POST", ":path": `/${LIST_BAGS}`, "content-type": "application/grpc" };
    let own = await openSession(gateway.address);
    let nMade = 0;
    for (let round = 0; round < 20; round += 1) {
      // A server may end a connection that resets so many streams; such a client comes back.
      if (own.closed || own.destroyed) own = await openSession(gateway.address);
      const streams = Array.from({ length: 500 }, () => {
        const stream = own.request(headers);
        stream.on("error", () => undefined);
        stream.close(CANCEL);
        return new Promise<boolean>((resolve) => stream.once("close", () => resolve(stream.id !== undefined)));
      });
      nMade += (await Promise.all(streams)).filter((isMade) => isMade).length;
    }
    own.destroy();
    expect(nMade).toBe(10_000);
  });

  it("keeps nothing for readers of a running operation who do not read", async () => {
    const watch = framed(gatewayV1.WatchOperationRequest.encode({ name: running, afterSequence: 0n }).finish());
    // Not a byte of what they are sent may leave.
    const own = await openSession(gateway.address, { initialWindowSize: 0 });
    const before = await residentBytesOf(gateway.process.pid!);
    const ended = Array.from({ length: 500 }, () => rawCall(own, { path: WATCH, body: watch }));
    const { operation } = await nextEvent(clients, running);
    const from = sequenceOf(operation);
    let seen = from;
    for await (const { operation: state } of watchFrom(clients, running)) {
      seen = sequenceOf(state);
      if (seen - from > 200) break;
    }
    expect(await residentBytesOf(gateway.process.pid!)).toBeLessThan(before + 64 * MIB);
    own.destroy();
    await Promise.all(ended);
  });

  it("closes connections that are silent, whether they said hello or not", async () => {
    const port = Number(gateway.address.split(":")[1]);
    const preface = Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]);
    const closed = Array.from({ length: 300 }, (_, i) => {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      socket.on("error", () => undefined);
      if (i % 2 === 0) socket.write(preface);
      // Received and never answered: as a machine that was unplugged.
      socket.resume();
      return new Promise<void>((resolve) => socket.once("close", () => resolve()));
    });
    expect((await clients.bags.listBags({ parent: PARENT, pageSize: 1 })).bags).toHaveLength(1);
    await Promise.all(closed);
  });

  it("holds no more memory than it may at the end", async () => {
    const growth = (await residentBytesOf(gateway.process.pid!)) - residentBefore;
    console.log(
      `memory of the gateway grew by ${Math.round(growth / MIB)} MiB from ${Math.round(residentBefore / MIB)} MiB`,
    );
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it("holds little of a file for each reader who does not read", async () => {
    const store = openStore(storeUri);
    const operation = running.slice(running.lastIndexOf("/") + 1);
    await store.put(`operations/test/${operation}/results/large.bin`, new Uint8Array(40 * MIB));
    const body = framed(gatewayV1.DownloadResultRequest.encode({ name: running, file: "large.bin" }).finish());
    const own = await openSession(gateway.address);
    const before = await residentBytesOf(gateway.process.pid!);
    const headers = { ":method": "POST", ":path": `/${DOWNLOAD}`, "content-type": "application/grpc", te: "trailers" };
    const streams = Array.from({ length: N_SLOW_READERS }, () => own.request(headers).on("error", () => undefined));
    const answered = streams.map((stream) => once(stream, "response"));
    for (const stream of streams) stream.end(body);
    await Promise.all(answered);
    // Until what is sent to nobody has come to rest.
    let resident = before;
    for (let last = 0; Math.abs(resident - last) > MIB; await sleep(500)) {
      last = resident;
      resident = await residentBytesOf(gateway.process.pid!);
    }
    expect(resident - before).toBeLessThan(N_SLOW_READERS * 6 * MIB);
    own.destroy();
    store.close();
  });
});

function watchFrom(clients: Clients, name: string) {
  return clients.watching.watchOperation({ name });
}

async function nextEvent(clients: Clients, name: string) {
  for await (const event of watchFrom(clients, name)) return event;
  throw new Error("the operation has ended");
}

function sequenceOf(operation: googleLongrunning.Operation | undefined): number {
  return Number(gatewayV1.OperationMetadata.decode(operation?.metadata?.value ?? new Uint8Array()).sequence);
}
