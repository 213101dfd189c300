import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { inferenceV2 } from "@parfocal/protocol";
import {
  commonSettings,
  createStageClient,
  createStageCredentials,
  defineService,
  type Logger,
  parseEnv,
  type RunningServer,
  startServer,
} from "@parfocal/runtime";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Authority, type CertifiedKey, createAuthority } from "../lib/certificates.ts";

const GATEWAY = "spiffe://hospital.example/gateway";
const POLICY = `
grants:
  - { to: ["mtls:${GATEWAY}"], roles: [admin], projects: ["*"] }
  - { to: ["mtls:dns:probe.hospital.example"], roles: [probe], projects: ["*"] }
`;
/** Shorter than a test, long enough that a loaded machine looks in between. */
const RELOAD_MS = "100";

describe("connections with certificates", () => {
  let folder: string;
  let authority: Authority;
  let server: RunningServer | undefined;
  const closing: (() => void)[] = [];
  const warnings: unknown[] = [];
  const logger: Logger = {
    error() {},
    warn: (...line) => void warnings.push(line),
    info() {},
    debug() {},
    with: () => logger,
  };

  beforeAll(async () => {
    authority = await createAuthority();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-tls-"));
    warnings.splice(0);
    await write({ "server-ca.pem": authority.cert, "client-ca.pem": authority.cert, "policy.yaml": POLICY });
    await writePair("server", await authority.issue({ ips: ["127.0.0.1"] }));
    await writePair("client", await authority.issue({ uris: [GATEWAY] }));
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await server?.stop({ drainMs: 0 });
    await rm(folder, { recursive: true });
  });

  const at = (name: string) => join(folder, name);
  const write = (files: Record<string, string>) =>
    Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)));
  const writePair = (name: string, { cert, key }: CertifiedKey) =>
    write({ [`${name}.pem`]: cert, [`${name}.key`]: key });

  const start = async (env: Record<string, string> = {}) => {
    const config = parseEnv(commonSettings(0), {
      ...{
        PARFOCAL_TLS_CERT: at("server.pem"),
        PARFOCAL_TLS_KEY: at("server.key"),
        PARFOCAL_POLICY: at("policy.yaml"),
      },
      ...{ PARFOCAL_TLS_CLIENT_CA: at("client-ca.pem"), PARFOCAL_TLS_RELOAD_MS: RELOAD_MS, HOST: "127.0.0.1" },
      ...env,
    });
    const service = defineService(inferenceV2.GRPCInferenceServiceDefinition, {
      serverLive: async () => ({ live: true }),
    });
    server = await startServer({ services: [service], config, logger });
    return server;
  };
  /** Whether a client with these files is answered; each call makes a connection of its own. */
  const isLive = async ({ ca = "server-ca.pem", identity = "client" } = {}) => {
    const credentials = createStageCredentials(
      {
        stageTlsCa: at(ca),
        stageTlsCert: identity === "" ? "" : at(`${identity}.pem`),
        stageTlsKey: identity === "" ? "" : at(`${identity}.key`),
        tlsReloadMs: 100,
      },
      logger,
    );
    const client = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, server!.address, {
      channel: credentials.channel,
      retry: { maxAttempts: 1 },
    });
    closing.push(client.close, credentials.close);
    return (await client.calls.serverLive({})).live;
  };
  /** The certificate that a new connection is shown. */
  const shown = async () => {
    const [cert = "", key = ""] = await Promise.all(
      ["client.pem", "client.key"].map((name) => readFile(at(name), "utf8")),
    );
    return new Promise<X509Certificate>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: server!.port, ca: authority.cert, cert, key, ALPNProtocols: ["h2"] };
      const socket = connect(options, () => {
        resolve(new X509Certificate(socket.getPeerCertificate().raw));
        socket.destroy();
      }).on("error", reject);
    });
  };

  it("know the caller by the URI of its certificate and let it do what the policy grants", async () => {
    await start();
    expect(await isLive()).toBe(true);
    await writePair("probe", await authority.issue({ dns: ["probe.hospital.example"] }));
    await expect(isLive({ identity: "probe" })).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  it("refuse clients without a certificate, of another authority, expired, and without a name", async () => {
    await start();
    const stranger = await createAuthority("stranger");
    await writePair("forged", await stranger.issue({ uris: [GATEWAY] }));
    await writePair("nameless", await authority.issue({}));
    await writePair("double", await authority.issue({ uris: [GATEWAY, "spiffe://hospital.example/other"] }));
    await writePair("posing", await authority.issue({ uris: ["dns:probe.hospital.example"] }));
    await expect(isLive({ identity: "posing" })).rejects.toThrow("a URI that reads like a DNS name");
    await expect(isLive({ identity: "" })).rejects.toMatchObject({ code: "UNREACHABLE" });
    await expect(isLive({ identity: "forged" })).rejects.toMatchObject({ code: "UNREACHABLE" });
    await expect(isLive({ identity: "nameless" })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await writePair("expired", await authority.issue({ uris: [GATEWAY], validMs: -1000 }));
    await expect(isLive({ identity: "expired" })).rejects.toThrow("PARFOCAL_STAGE_TLS_CERT names ran out");
    await expect(isLive({ identity: "double" })).rejects.toThrow("2 URIs");
    expect(await isLive()).toBe(true);
  });

  it("refuse a server of another authority or for another host", async () => {
    await start();
    await write({ "stranger.pem": (await createAuthority("stranger")).cert });
    await expect(isLive({ ca: "stranger.pem" })).rejects.toMatchObject({ code: "UNREACHABLE" });
    await server!.stop({ drainMs: 0 });
    await writePair("server", await authority.issue({ dns: ["elsewhere.example"] }));
    await start();
    await expect(isLive()).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("show a renewed certificate without a restart, and keep the old one while a renewal is half written", async () => {
    await start();
    const before = await shown();
    const renewed = await authority.issue({ ips: ["127.0.0.1"] });
    await write({ "server.pem": renewed.cert });
    await vi.waitFor(() => expect(JSON.stringify(warnings)).toContain("TLS files refused"), { timeout: 20_000 });
    expect((await shown()).fingerprint256).toBe(before.fingerprint256);
    expect(await isLive()).toBe(true);
    await write({ "server.key": renewed.key });
    await vi.waitFor(
      async () => expect((await shown()).fingerprint256).toBe(new X509Certificate(renewed.cert).fingerprint256),
      {
        timeout: 20_000,
      },
    );
    expect(await isLive()).toBe(true);
  });

  it.each([
    ["garbage", "garbage"],
    ["half a file", "-----BEGIN CERTIFICATE-----\nMIIB"],
    ["nothing", ""],
  ])("keep the old authority of the clients when the new one is %s", async (_, text) => {
    await start();
    await write({ "client-ca.pem": text });
    await vi.waitFor(() => expect(warnings).toHaveLength(1), { timeout: 20_000 });
    expect(await isLive()).toBe(true);
  });

  it("follow a new authority of the clients, and a new policy", async () => {
    await start();
    const next = await createAuthority("next");
    await writePair("next", await next.issue({ uris: [GATEWAY] }));
    await write({ "client-ca.pem": next.cert });
    await vi.waitFor(async () => expect(await isLive({ identity: "next" })).toBe(true), { timeout: 20_000 });
    await expect(isLive()).rejects.toMatchObject({ code: "UNREACHABLE" });
    await write({ "policy.yaml": POLICY.replace(GATEWAY, "spiffe://hospital.example/other") });
    await vi.waitFor(() => expect(isLive({ identity: "next" })).rejects.toMatchObject({ code: "FORBIDDEN" }), {
      timeout: 20_000,
    });
  });

  it("show a renewed certificate of the client when they are made anew", async () => {
    await start({ PARFOCAL_MAX_CONNECTION_AGE_MS: "1000" });
    await writePair("client", await authority.issue({ uris: ["spiffe://hospital.example/unknown"] }));
    const credentials = createStageCredentials(
      {
        stageTlsCa: at("server-ca.pem"),
        stageTlsCert: at("client.pem"),
        stageTlsKey: at("client.key"),
        tlsReloadMs: 100,
      },
      logger,
    );
    closing.push(credentials.close);
    const call = async () => {
      const { channel } = credentials;
      const client = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, server!.address, { channel });
      closing.push(client.close);
      return (await client.calls.serverLive({})).live;
    };
    await expect(call()).rejects.toMatchObject({ code: "FORBIDDEN" });
    await writePair("client", await authority.issue({ uris: [GATEWAY] }));
    await vi.waitFor(async () => expect(await call()).toBe(true), { timeout: 20_000 });
  });

  it("are not served in plain text", async () => {
    await start();
    const client = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, server!.address, {
      retry: { maxAttempts: 1 },
    });
    closing.push(client.close);
    await expect(client.calls.serverLive({})).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it.each([
    ["a key of another certificate", { PARFOCAL_TLS_KEY: "client.key" }, /PARFOCAL_TLS_KEY names is not that of/],
    [
      "a file that is not there",
      { PARFOCAL_TLS_CERT: "none.pem" },
      /PARFOCAL_TLS_CERT names cannot be read \(ENOENT\)/,
    ],
    ["no certificate", { PARFOCAL_TLS_CERT: "policy.yaml" }, /PARFOCAL_TLS_CERT names cannot be used/],
    ["no policy", { PARFOCAL_POLICY: "" }, /PARFOCAL_POLICY says what they may/],
  ])("do not start with %s", async (_, files, message) => {
    const env = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, file && at(file)]));
    await expect(start(env)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(start(env)).rejects.toThrow(message);
  });

  it("do not start where other machines could call and nobody would ask who they are", async () => {
    const nobody = { PARFOCAL_TLS_CLIENT_CA: "", PARFOCAL_POLICY: "", HOST: "0.0.0.0" };
    await expect(start(nobody)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    await expect(start(nobody)).rejects.toThrow("nobody would ask who calls");
    await write({ "jwks.json": '{"keys":[]}' });
    const plain = {
      ...{ PARFOCAL_TLS_CERT: "", PARFOCAL_TLS_KEY: "", PARFOCAL_TLS_CLIENT_CA: "", HOST: "0.0.0.0" },
      ...{ PARFOCAL_JWT_JWKS: at("jwks.json"), PARFOCAL_JWT_ISSUER: "i", PARFOCAL_JWT_AUDIENCE: "a" },
    };
    await expect(start(plain)).rejects.toThrow("tokens would travel in plain text");
  });
});
