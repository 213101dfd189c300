import { readFileSync } from "node:fs";
import { createCallerCredentials, createSilentLogger } from "@parfocal/runtime";
import { UsageError } from "../exit-codes.ts";
import type { Caller } from "./clients.ts";

/** What the command line says about how to call the gateway. */
export interface CallerOptions {
  /** Trust the system's authorities. */
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokenFile?: string;
}

/**
 * How to call the gateway: by the command line, else by the environment, else in plain text as nobody in particular.
 *
 * @throws {UsageError} for a token file that cannot be read. @throws {DomainError} `INVALID_ARGUMENT` for other files.
 */
export function callerFromOptions(options: CallerOptions, env: NodeJS.ProcessEnv): Caller {
  const ca = options.tlsCa ?? env.PARFOCAL_GATEWAY_TLS_CA ?? "";
  const cert = options.tlsCert ?? env.PARFOCAL_GATEWAY_TLS_CERT ?? "";
  const key = options.tlsKey ?? env.PARFOCAL_GATEWAY_TLS_KEY ?? "";
  const tokenFile = options.tokenFile ?? env.PARFOCAL_TOKEN_FILE ?? "";
  const isEncrypted = options.tls === true || ca !== "";
  if (!isEncrypted && (cert !== "" || key !== ""))
    throw new UsageError("--tls-cert and --tls-key need --tls or --tls-ca");
  const paths = {
    ca: { env: "--tls-ca", path: ca },
    cert: { env: "--tls-cert", path: cert },
    key: { env: "--tls-key", path: key },
  };
  return {
    ...(isEncrypted ? { credentials: createCallerCredentials(paths, createSilentLogger()) } : {}),
    ...(tokenFile === "" ? {} : { bearerToken: () => readToken(tokenFile) }),
  };
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new UsageError(`--token-file ${path} cannot be read`, { cause });
  }
  if (/^[A-Za-z0-9._~+/=-]+$/.test(token)) return token;
  throw new UsageError(`--token-file ${path} does not hold a token`);
}
