import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSilentLogger } from "../telemetry/logger.ts";
import { createTokenVerifier, type TokenVerifierOptions } from "./token-verifier.ts";

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;
const NOW_S = Math.floor(Date.now() / 1000);
const CLAIMS = {
  sub: "alice",
  iss: "https://issuer.example",
  aud: "parfocal",
  exp: NOW_S + 600,
  roles: ["pathologist"],
};

describe("the check of bearer tokens", () => {
  let folder: string;
  let keys: KeyPair;
  let others: KeyPair;
  beforeAll(async () => {
    keys = await generateKeyPair("ES256", { extractable: true });
    others = await generateKeyPair("ES256", { extractable: true });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-jwks-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const jwksOf = async (pair: KeyPair, kid: string) =>
    JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" }] });
  const sign = (claims: JWTPayload, pair = keys, kid = "1") =>
    new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(pair.privateKey);
  const open = async (options: Partial<TokenVerifierOptions> = {}) => {
    const jwks = join(folder, "jwks.json");
    await writeFile(jwks, await jwksOf(keys, "1"));
    return createTokenVerifier({
      ...{ jwks, issuer: CLAIMS.iss, audience: CLAIMS.aud, algorithms: ["ES256"], clockSkewS: 30, rolesClaim: "roles" },
      ...{ cooldownMs: 0, reloadMs: 86_400_000, logger: createSilentLogger() },
      ...options,
    });
  };

  it("takes a good token and its roles", async () => {
    const verifier = await open();
    expect(await verifier.verify(await sign(CLAIMS))).toEqual({ name: "alice", roles: ["pathologist"] });
    expect(await verifier.verify(await sign({ ...CLAIMS, roles: "a b" }))).toMatchObject({ roles: ["a", "b"] });
    expect(await verifier.verify(await sign({ ...CLAIMS, roles: { a: 1 } }))).toMatchObject({ roles: [] });
  });

  it.each<[string, object, RegExp]>([
    ["expired", { ...CLAIMS, exp: NOW_S - 60 }, /has expired/],
    ["without an end", { ...CLAIMS, exp: undefined }, /check of its exp/],
    ["not valid yet", { ...CLAIMS, nbf: NOW_S + 300 }, /check of its nbf/],
    ["for another audience", { ...CLAIMS, aud: "somebody-else" }, /check of its aud/],
    ["of another issuer", { ...CLAIMS, iss: "https://evil.example" }, /check of its iss/],
    ["without a subject", { ...CLAIMS, sub: undefined }, /check of its sub/],
    ["with an empty subject", { ...CLAIMS, sub: "" }, /names nobody/],
  ])("refuses one that is %s", async (_, claims, message) => {
    const verifier = await open();
    const token = await sign(JSON.parse(JSON.stringify(claims)) as JWTPayload);
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await expect(verifier.verify(token)).rejects.toThrow(message);
  });

  it("forgives the clocks a little and no more", async () => {
    const verifier = await open();
    await verifier.verify(await sign({ ...CLAIMS, exp: NOW_S - 10 }));
    await expect(verifier.verify(await sign({ ...CLAIMS, exp: NOW_S - 40 }))).rejects.toThrow("expired");
  });

  it("refuses forged ones: no signature, another key's, one made with the public key, garbage, a huge one", async () => {
    const verifier = await open();
    const [header = "", body = "", signature = ""] = (await sign(CLAIMS)).split(".");
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const publicKey = Buffer.from(await jwksOf(keys, "1"));
    const forged = [
      `${encode({ alg: "none" })}.${body}.`,
      `${encode({ alg: "None", kid: "1" })}.${body}.${signature}`,
      `${header}.${encode({ ...CLAIMS, sub: "admin" })}.${signature}`,
      await sign(CLAIMS, others),
      await new SignJWT(CLAIMS).setProtectedHeader({ alg: "HS256", kid: "1" }).sign(publicKey),
      "garbage",
      "a.b.c",
      `${header}.${body}.${"A".repeat(10_000)}`,
    ];
    for (const token of forged) await expect(verifier.verify(token)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("finds a new key in the file when a token asks for it", async () => {
    const verifier = await open();
    const token = await sign(CLAIMS, others, "2");
    await expect(verifier.verify(token)).rejects.toThrow("does not publish");
    await writeFile(join(folder, "jwks.json"), await jwksOf(others, "2"));
    expect(await verifier.verify(token)).toMatchObject({ name: "alice" });
    await expect(verifier.verify(await sign(CLAIMS))).rejects.toThrow("does not publish");
  });

  it("asks a URL once, again for an unknown key, and not again within the cool-down", async () => {
    let body = await jwksOf(keys, "1");
    let nAsked = 0;
    const server = await listen(() => {
      nAsked += 1;
      return body;
    });
    const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    const patient = await open({ jwks, cooldownMs: 60_000 });
    for (let i = 0; i < 5; i += 1) await patient.verify(await sign(CLAIMS));
    for (let i = 0; i < 5; i += 1) {
      await expect(patient.verify(await sign(CLAIMS, others, `made-up-${i}`))).rejects.toThrow("does not publish");
    }
    expect(nAsked).toBe(1);
    const eager = await open({ jwks, cooldownMs: 0 });
    await eager.verify(await sign(CLAIMS));
    body = await jwksOf(others, "2");
    expect(await eager.verify(await sign(CLAIMS, others, "2"))).toMatchObject({ name: "alice" });
    server.close();
    server.closeAllConnections();
  });

  it("does not blame the caller when the issuer cannot be reached", async () => {
    const server = await listen(() => "");
    const { port } = server.address() as AddressInfo;
    server.close();
    const verifier = await open({ jwks: `http://127.0.0.1:${port}/jwks` });
    await expect(verifier.verify(await sign(CLAIMS))).rejects.toMatchObject({ code: "UNREACHABLE" });
  });
});

function listen(answer: () => string): Promise<Server> {
  const server = createServer((_, response) => response.setHeader("content-type", "application/json").end(answer()));
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
