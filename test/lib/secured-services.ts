/**
 * @file A gateway that asks for tokens, over TLS, and a stage that asks for the gateway's certificate; in this process.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createCallerCredentials, createSilentLogger } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { gatewayConfigFromEnv, startGateway } from "@parfocal/service-gateway";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { createAuthority } from "./certificates.ts";
import { type Clients, createClients, type ServiceEnv } from "./services.ts";

const ISSUER = "https://issuer.example";
const AUDIENCE = "parfocal";
const GATEWAY = "spiffe://hospital.example/gateway";

/** Who may what, unless a test says otherwise: `trainer-NAME`, `viewer-NAME` in the project NAME, `admin` everywhere. */
const POLICY = `
grants:
  - { to: ["mtls:${GATEWAY}"], roles: [stage-caller], projects: ["*"] }
  - { to: ["jwt:trainer-test"], roles: [trainer], projects: [test] }
  - { to: ["jwt:viewer-test"], roles: [viewer], projects: [test] }
  - { to: ["jwt:trainer-other"], roles: [trainer], projects: [other] }
  - { to: ["jwt:everything-other"], roles: [admin], projects: [other] }
  - { to: ["jwt:admin"], roles: [admin], projects: ["*"] }
  - { to: ["jwt:hasty"], roles: [admin], projects: ["*"], limits: { ratePerS: 1, burst: 5, concurrent: 3 } }
`;

/** A line of the audit file. */
export interface AuditLine {
  readonly method: string;
  readonly code: string;
  readonly principal?: string;
  readonly principalKind?: string;
  readonly project?: string;
  readonly operation?: string;
  readonly requestId?: string;
}

/** Starts both. `env`: more settings of the gateway. */
export async function startSecuredServices(env: ServiceEnv = {}) {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-secured-"));
  const at = (name: string) => join(folder, name);
  const authority = await createAuthority();
  const keys = await generateKeyPair("ES256", { extractable: true });
  const stranger = await generateKeyPair("ES256", { extractable: true });
  const files = {
    "ca.pem": authority.cert,
    "policy.yaml": POLICY,
    "jwks.json": JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: "1", alg: "ES256" }] }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
  const identities = { server: { ips: ["127.0.0.1"] }, gateway: { uris: [GATEWAY] } };
  for (const [name, names] of Object.entries(identities)) {
    const { cert, key } = await authority.issue(names);
    await writeFile(at(`${name}.pem`), cert);
    await writeFile(at(`${name}.key`), key);
  }
  const shared = {
    ...{ PORT: "0", PARFOCAL_THREADS: "1", PARFOCAL_STORE: pathToFileURL(at("store")).href },
    ...{ PARFOCAL_TLS_CERT: at("server.pem"), PARFOCAL_TLS_KEY: at("server.key"), PARFOCAL_POLICY: at("policy.yaml") },
  };
  const logger = createSilentLogger();
  const stageEnv = { ...shared, PARFOCAL_TLS_CLIENT_CA: at("ca.pem") };
  const stage = await startAggregate(aggregateConfigFromEnv(stageEnv), logger, stageEnv);
  const gatewayEnv = {
    ...shared,
    PARFOCAL_AGGREGATE_ADDRESS: stage.server.address,
    PARFOCAL_STAGE_TLS_CA: at("ca.pem"),
    PARFOCAL_STAGE_TLS_CERT: at("gateway.pem"),
    PARFOCAL_STAGE_TLS_KEY: at("gateway.key"),
    PARFOCAL_JWT_JWKS: at("jwks.json"),
    PARFOCAL_JWT_ISSUER: ISSUER,
    PARFOCAL_JWT_AUDIENCE: AUDIENCE,
    PARFOCAL_AUDIT_FILE: at("audit.jsonl"),
    ...env,
  };
  const gateway = await startGateway(gatewayConfigFromEnv(gatewayEnv), logger, gatewayEnv);
  const opened: Clients[] = [];
  const path = (name: string) => ({ env: name, path: name === "" ? "" : at(name) });
  const tls = (identity = "") => {
    const pair = identity === "" ? ["", ""] : [`${identity}.pem`, `${identity}.key`];
    const paths = { ca: path("ca.pem"), cert: path(pair[0]!), key: path(pair[1]!) };
    return createCallerCredentials(paths, logger);
  };
  const sign = (
    sub: string,
    { key = keys.privateKey, ...claims }: JWTPayload & { key?: typeof keys.privateKey } = {},
  ) => {
    const exp = Math.floor(Date.now() / 1000) + 3600;
    return new SignJWT({ sub, iss: ISSUER, aud: AUDIENCE, exp, ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .sign(key);
  };
  const clientsOf = (address: string, token: string | undefined, identity?: string): Clients => {
    const bearerToken = token === undefined ? {} : { bearerToken: () => token };
    const channel = { credentials: tls(identity) };
    const clients = createClients(address, { ...bearerToken, channel, retry: { maxAttempts: 1 } });
    opened.push(clients);
    return clients;
  };
  return {
    gatewayAddress: gateway.server.address,
    aggregateAddress: stage.server.address,
    storeUri: shared.PARFOCAL_STORE,
    /** Path of a file of this set: `ca.pem`, `gateway.pem`, `gateway.key`, `audit.jsonl`. */
    at,
    tls,
    /** A token of the issuer, or of a stranger who says that he is. */
    sign,
    forge: (sub: string) => sign(sub, { key: stranger.privateKey }),
    /** Clients that show a token for `sub`. */
    as: async (sub: string) => clientsOf(gateway.server.address, await sign(sub)),
    /** Clients that show this token, or none. */
    withToken: (token: string | undefined) => clientsOf(gateway.server.address, token),
    clientsOf,
    async auditLines(): Promise<AuditLine[]> {
      const text = await readFile(at("audit.jsonl"), "utf8");
      return text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as AuditLine);
    },
    async close() {
      for (const { channel } of opened) channel.close();
      await gateway.server.stop({ drainMs: 0 });
      await gateway.close();
      await stage.server.stop({ drainMs: 0 });
      await stage.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What {@link startSecuredServices} gives. */
export type SecuredServices = Awaited<ReturnType<typeof startSecuredServices>>;
