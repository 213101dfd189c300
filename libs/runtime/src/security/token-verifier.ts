import { DomainError, isDomainError } from "@parfocal/errors";
import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type JWTPayload,
  jwtVerify,
} from "jose";
import type { Logger } from "../telemetry/logger.ts";
import { createReloadedFiles, unusable } from "./reloaded-files.ts";

/** Signatures that a token may have: asymmetric ones only, so that nobody who can check a token can make one. */
export const TOKEN_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

/** Longest token that is looked at, characters. */
const MAX_TOKEN_LENGTH = 8192;

/** Longest wait for the keys of an issuer, ms. */
const KEYS_TIMEOUT_MS = 5000;

/** How long keys of an issuer are used before they are asked for again, ms. */
const KEYS_MAX_AGE_MS = 600_000;

/** Options of {@link createTokenVerifier}. */
export interface TokenVerifierOptions {
  /** `https://…`, or a file. */
  readonly jwks: string;
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  /** Difference of clocks that is forgiven, seconds. */
  readonly clockSkewS: number;
  /** Claim that lists the caller's roles. */
  readonly rolesClaim: string;
  /** Shortest pause between two looks for keys that are not known, ms: a flood of made-up key ids asks once. */
  readonly cooldownMs: number;
  readonly reloadMs: number;
  readonly logger: Logger;
}

/** Whom a token names. */
interface TokenSubject {
  readonly name: string;
  readonly roles: readonly string[];
}

/** Checks bearer tokens. */
export interface TokenVerifier {
  /**
   * Whom the token names.
   *
   * @throws {DomainError} `UNAUTHENTICATED` saying which check failed, never the token; `UNREACHABLE` when the issuer's keys
   *   cannot be had.
   */
  verify(token: string): Promise<TokenSubject>;
  close(): void;
}

/** Tokens of one issuer for one audience, checked with its published keys. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const keys = createKeys(options);
  const checks = {
    issuer: options.issuer,
    audience: options.audience,
    algorithms: [...options.algorithms],
    clockTolerance: options.clockSkewS,
    requiredClaims: ["exp", "sub"],
  };
  return {
    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) {
        throw unauthenticated(`has ${token.length} characters, the bound is ${MAX_TOKEN_LENGTH}`);
      }
      try {
        const { payload } = await jwtVerify(token, keys.find, checks);
        return subjectOf(payload, options.rolesClaim);
      } catch (error) {
        throw refusalOf(error);
      }
    },
    close: () => keys.close(),
  };
}

type FindKey = (header?: JWSHeaderParameters, token?: FlattenedJWSInput) => Promise<CryptoKey>;

function createKeys(options: TokenVerifierOptions): { readonly find: FindKey; close(): void } {
  const { jwks, cooldownMs, reloadMs, logger } = options;
  if (/^https?:/.test(jwks)) {
    const times = { cooldownDuration: cooldownMs, cacheMaxAge: KEYS_MAX_AGE_MS, timeoutDuration: KEYS_TIMEOUT_MS };
    return { find: createRemoteJWKSet(new URL(jwks), times), close() {} };
  }
  const env = "PARFOCAL_JWT_JWKS";
  const files = createReloadedFiles({
    paths: { [env]: jwks },
    parse: ({ [env]: bytes }: Readonly<Record<string, Buffer>>) => keysFromJson(env, bytes ?? Buffer.of()),
    ...{ what: "token keys", reloadMs, logger },
  });
  let askedMs = Number.NEGATIVE_INFINITY;
  const find: FindKey = async (header, token) => {
    try {
      return await files.current(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || performance.now() - askedMs < cooldownMs) throw error;
      askedMs = performance.now();
      await files.check();
      return files.current(header, token);
    }
  };
  return { find, close: () => files.close() };
}

function keysFromJson(env: string, bytes: Buffer): FindKey {
  try {
    return createLocalJWKSet(JSON.parse(bytes.toString("utf8")) as JSONWebKeySet);
  } catch (error) {
    throw unusable(env, error);
  }
}

function subjectOf(payload: JWTPayload, rolesClaim: string): TokenSubject {
  const { sub } = payload;
  if (sub === undefined || sub === "" || sub.length > 256)
    throw unauthenticated("names nobody: its sub is empty or too long");
  const claim = payload[rolesClaim];
  const roles = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return { name: sub, roles: roles.filter((role): role is string => typeof role === "string" && role !== "") };
}

/** What the caller is told: which check failed. Nothing of the token, and nothing that helps to make a better one. */
function refusalOf(error: unknown): unknown {
  if (isDomainError(error)) return error;
  if (error instanceof errors.JWTExpired) return unauthenticated("has expired");
  if (error instanceof errors.JWTClaimValidationFailed) return unauthenticated(`fails the check of its ${error.claim}`);
  if (error instanceof errors.JOSEAlgNotAllowed) return unauthenticated("is signed in a way that is not allowed");
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return unauthenticated("has a signature that is not right");
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return unauthenticated("is signed with a key that the issuer does not publish under its id");
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return unauthenticated("is malformed");
  if (error instanceof errors.JOSENotSupported) return unauthenticated("is signed in a way that is not allowed");
  // The issuer does not answer, or not with keys: not the caller's fault.
  return new DomainError("UNREACHABLE", "the keys of the token's issuer cannot be had", { cause: error });
}

function unauthenticated(what: string): DomainError {
  return new DomainError("UNAUTHENTICATED", `the bearer token ${what}`);
}
