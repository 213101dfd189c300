import { DomainError } from "@parfocal/errors";
import type { Authorizer, CallToAuthorize, Principal } from "../server/authorizer.ts";
import type { Access, Policy } from "./policy.ts";
import { nameFromCertificate } from "./principal-from-certificate.ts";
import type { TokenVerifier } from "./token-verifier.ts";

/** Options of {@link createAuthenticator}. */
export interface AuthenticatorOptions {
  /** The policy as it is now. */
  readonly policy: () => Policy;
  /** Checks bearer tokens; absent: none are taken. */
  readonly tokens?: TokenVerifier | undefined;
  /** Whether probes may ask for health without saying who they are. */
  readonly probesAreOpen: boolean;
}

const HEALTH = "grpc.health.v1.Health/";
const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i;

interface Caller {
  readonly kind: "jwt" | "mtls";
  readonly name: string;
  readonly roles: readonly string[];
}

/**
 * Knows callers by bearer token, else by client certificate, and lets them do what the policy grants and nothing else. A
 * caller who shows both is the one of the token: the certificate is then that of whoever carries it.
 */
export function createAuthenticator({ policy, tokens, probesAreOpen }: AuthenticatorOptions): Authorizer {
  return {
    async authorize(call) {
      if (probesAreOpen && call.method.startsWith(HEALTH)) return { kind: "probe", name: "anybody" };
      const { kind, name, roles } = await identify(call, tokens);
      call.identified?.({ kind, name });
      const access = policy().accessOf([`${kind}:${name}`, ...roles.map((role) => `role:${role}`)], call.method);
      if (access === undefined) {
        throw new DomainError("FORBIDDEN", `no role of the caller includes ${call.method}`, {
          details: { method: call.method },
        });
      }
      return principalOf(kind, name, access);
    },
  };
}

function principalOf(kind: string, name: string, access: Access): Principal {
  const scope = access.projects.includes("*") ? {} : { projects: access.projects };
  return { kind, name, ...scope, ...(access.limits === undefined ? {} : { limits: access.limits }) };
}

async function identify(
  { metadata, certificate }: CallToAuthorize,
  tokens: TokenVerifier | undefined,
): Promise<Caller> {
  const token = tokens === undefined ? undefined : tokenOf(metadata);
  if (tokens !== undefined && token !== undefined) return { kind: "jwt", ...(await tokens.verify(token)) };
  if (certificate !== undefined) return { kind: "mtls", name: nameFromCertificate(certificate), roles: [] };
  const wanted = tokens === undefined ? "a client certificate" : "a bearer token";
  throw new DomainError("UNAUTHENTICATED", `${wanted} is needed and none was shown`);
}

function tokenOf(metadata: CallToAuthorize["metadata"]): string | undefined {
  const values = metadata.getAll("authorization");
  if (values.length === 0) return undefined;
  const [value] = values;
  const match = typeof value === "string" ? BEARER.exec(value) : null;
  // Two of them: a proxy may have checked the one that we would not.
  if (values.length === 1 && match !== null) return match[1];
  throw new DomainError("UNAUTHENTICATED", "the authorization header is not one bearer token");
}
