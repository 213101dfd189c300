import { ServerCredentials } from "@grpc/grpc-js";
import { DomainError } from "@parfocal/errors";
import {
  type Authorizer,
  createLoopbackAuthorizer,
  createOpenAuthorizer,
  isLoopbackHost,
} from "../server/authorizer.ts";
import type { ServerConfig } from "../server/server-config.ts";
import type { Logger } from "../telemetry/logger.ts";
import { type AuditLog, createAuditLog } from "./audit-log.ts";
import { createAuthenticator } from "./authenticator.ts";
import { policyFromText } from "./policy.ts";
import { createPrincipalLimiter, type PrincipalLimiter } from "./principal-limiter.ts";
import { createReloadedFiles } from "./reloaded-files.ts";
import { createTlsFiles, type TlsFiles } from "./tls-files.ts";
import { createTokenVerifier, type TokenVerifier } from "./token-verifier.ts";

/** What of the configuration says who may call. */
export type SecurityConfig = Pick<
  ServerConfig,
  | "host"
  | "allowRemote"
  | "tlsCert"
  | "tlsKey"
  | "tlsClientCa"
  | "tlsReloadMs"
  | "jwtJwks"
  | "jwtIssuer"
  | "jwtAudience"
  | "jwtAlgorithms"
  | "jwtClockSkewS"
  | "jwtRolesClaim"
  | "jwtCooldownMs"
  | "policy"
  | "probesAreOpen"
  | "ratePerS"
  | "rateBurst"
  | "maxConcurrentPerCaller"
  | "auditFile"
  | "auditOnFailure"
>;

/** How a server is kept. */
export interface Security {
  readonly credentials: ServerCredentials;
  /** Whether callers show certificates. */
  readonly hasClientCertificates: boolean;
  readonly authorizer: Authorizer;
  readonly limiter: PrincipalLimiter;
  readonly audit: AuditLog | undefined;
  /** Stops looking for renewed files and writes the records that are left. */
  close(): Promise<void>;
}

/**
 * The security that a configuration asks for. Without any it is this machine alone, in plain text.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when other machines could call and nobody would ask who they are;
 *   `INVALID_ARGUMENT` naming the variable whose file or combination cannot be used.
 */
export function createSecurity(config: SecurityConfig, logger: Logger): Security {
  assertWhole(config);
  assertMayListen(config);
  const tls = config.tlsCert === "" ? undefined : createServerTls(config, logger);
  const tokens = config.jwtJwks === "" ? undefined : createTokens(config, logger);
  const { authorizer, close: closePolicy } = createAuthorizer(config, tokens, logger);
  const audit =
    config.auditFile === ""
      ? undefined
      : createAuditLog({ path: config.auditFile, onFailure: config.auditOnFailure, logger });
  const { ratePerS, rateBurst: burst, maxConcurrentPerCaller: concurrent } = config;
  return {
    credentials: tls?.serverCredentials() ?? ServerCredentials.createInsecure(),
    hasClientCertificates: config.tlsClientCa !== "",
    authorizer,
    limiter: createPrincipalLimiter({ ratePerS, burst, concurrent }),
    audit,
    async close() {
      tls?.close();
      tokens?.close();
      closePolicy();
      await audit?.close();
    },
  };
}

function isAuthenticated({ jwtJwks, tlsClientCa }: SecurityConfig): boolean {
  return jwtJwks !== "" || tlsClientCa !== "";
}

function assertWhole(config: SecurityConfig): void {
  const refuse = (message: string): never => {
    throw new DomainError("INVALID_ARGUMENT", `configuration: ${message}`);
  };
  if (config.tlsClientCa !== "" && config.tlsCert === "") refuse("PARFOCAL_TLS_CLIENT_CA needs PARFOCAL_TLS_CERT");
  if (config.tlsKey !== "" && config.tlsCert === "") refuse("PARFOCAL_TLS_KEY needs PARFOCAL_TLS_CERT");
  if (config.jwtJwks !== "" && config.jwtIssuer === "") refuse("PARFOCAL_JWT_JWKS needs PARFOCAL_JWT_ISSUER");
  if (config.jwtJwks !== "" && config.jwtAudience === "") refuse("PARFOCAL_JWT_JWKS needs PARFOCAL_JWT_AUDIENCE");
  if (isAuthenticated(config) && config.policy === "") {
    refuse(
      "with certificates of clients or tokens, PARFOCAL_POLICY says what they may; without it nobody may anything",
    );
  }
  if (!isAuthenticated(config) && config.policy !== "") {
    refuse("PARFOCAL_POLICY needs PARFOCAL_TLS_CLIENT_CA or PARFOCAL_JWT_JWKS, by which callers are known");
  }
}

function assertMayListen(config: SecurityConfig): void {
  const { host, allowRemote, tlsCert } = config;
  if (allowRemote || isLoopbackHost(host)) return;
  if (isAuthenticated(config) && tlsCert !== "") return;
  const missing = isAuthenticated(config)
    ? "tokens would travel in plain text: set PARFOCAL_TLS_CERT"
    : "nobody would ask who calls: set PARFOCAL_TLS_CLIENT_CA or PARFOCAL_JWT_JWKS";
  throw new DomainError(
    "PRECONDITION_FAILED",
    `HOST is "${host}", which other machines reach, and ${missing}, or PARFOCAL_ALLOW_REMOTE to true where the network sees to it`,
  );
}

function createServerTls(config: SecurityConfig, logger: Logger): TlsFiles {
  const paths = {
    cert: { env: "PARFOCAL_TLS_CERT", path: config.tlsCert },
    key: { env: "PARFOCAL_TLS_KEY", path: config.tlsKey },
    ca: { env: "PARFOCAL_TLS_CLIENT_CA", path: config.tlsClientCa },
  };
  return createTlsFiles(paths, config.tlsReloadMs, logger);
}

function createTokens(config: SecurityConfig, logger: Logger): TokenVerifier {
  return createTokenVerifier({
    jwks: config.jwtJwks,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    algorithms: config.jwtAlgorithms.split(","),
    clockSkewS: config.jwtClockSkewS,
    rolesClaim: config.jwtRolesClaim,
    cooldownMs: config.jwtCooldownMs,
    reloadMs: config.tlsReloadMs,
    logger,
  });
}

function createAuthorizer(
  config: SecurityConfig,
  tokens: TokenVerifier | undefined,
  logger: Logger,
): { readonly authorizer: Authorizer; close(): void } {
  if (!isAuthenticated(config)) {
    const authorizer = config.allowRemote ? createOpenAuthorizer() : createLoopbackAuthorizer();
    return { authorizer, close() {} };
  }
  const env = "PARFOCAL_POLICY";
  const files = createReloadedFiles({
    paths: { [env]: config.policy },
    parse: ({ [env]: bytes }: Readonly<Record<string, Buffer>>) => policyFromText(env, bytes?.toString("utf8") ?? ""),
    ...{ what: "policy", reloadMs: config.tlsReloadMs, logger },
  });
  const { probesAreOpen } = config;
  const authorizer = createAuthenticator({ policy: () => files.current, tokens, probesAreOpen });
  return { authorizer, close: () => files.close() };
}
