import { DomainError } from "@parfocal/errors";
import type { ChecksumMode, StoreCredentials, StoreOptions } from "./store-options.ts";

type Env = Readonly<Record<string, string | undefined>>;

const COUNTS = {
  PARFOCAL_S3_PART_SIZE_BYTES: "partSizeBytes",
  PARFOCAL_S3_MAX_CONCURRENCY: "maxConcurrency",
  PARFOCAL_S3_MAX_SOCKETS: "maxSockets",
  PARFOCAL_S3_MAX_ATTEMPTS: "maxAttempts",
  PARFOCAL_S3_RETRY_BASE_MS: "retryBaseMs",
  PARFOCAL_S3_CONNECT_TIMEOUT_MS: "connectTimeoutMs",
  PARFOCAL_S3_IDLE_TIMEOUT_MS: "idleTimeoutMs",
} as const;

/**
 * The store options that environment variables ask for (docs/storage.md lists them): `PARFOCAL_S3_*`, else the usual
 * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ACCESS_KEY_ID`,
 * `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`. Empty means absent. Absent credentials leave the SDK's chain in charge.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming the variable whose value is none.
 */
export function storeOptionsFromEnv(env: Env): StoreOptions {
  const first = (...names: string[]) =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
  const endpoint = first("PARFOCAL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
  const region = first("PARFOCAL_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION");
  const pathStyle = first("PARFOCAL_S3_FORCE_PATH_STYLE");
  const checksumMode = first("PARFOCAL_S3_CHECKSUM_MODE");
  const credentials = credentialsFromEnv(env);
  return {
    ...(endpoint === undefined ? {} : { endpoint: parseEndpoint(endpoint) }),
    ...(region === undefined ? {} : { region }),
    ...(pathStyle === undefined ? {} : { forcePathStyle: parseBoolean("PARFOCAL_S3_FORCE_PATH_STYLE", pathStyle) }),
    ...(checksumMode === undefined ? {} : { checksumMode: parseChecksumMode(checksumMode) }),
    ...countsFromEnv(env),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function countsFromEnv(env: Env): StoreOptions {
  const given = Object.entries(COUNTS).filter(([name]) => env[name] !== undefined && env[name] !== "");
  return Object.fromEntries(given.map(([name, option]) => [option, parseCount(name, env[name] ?? "")]));
}

function credentialsFromEnv(env: Env): StoreCredentials | undefined {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function parseEndpoint(value: string): string {
  const url = URL.parse(value);
  if (url?.protocol === "http:" || url?.protocol === "https:") return value;
  throw new DomainError("INVALID_ARGUMENT", `the S3 endpoint "${value}" is no http:// or https:// URL`);
}

function parseBoolean(name: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new DomainError("INVALID_ARGUMENT", `${name} is "${value}", expected true or false`);
}

function parseChecksumMode(value: string): ChecksumMode {
  if (value === "when_supported" || value === "when_required") return value;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `PARFOCAL_S3_CHECKSUM_MODE is "${value}", expected when_supported or when_required`,
  );
}

function parseCount(name: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new DomainError("INVALID_ARGUMENT", `${name} is "${value}", expected a whole number`);
}
