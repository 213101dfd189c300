import { DomainError } from "@parfocal/errors";
import type { CallContext } from "nice-grpc-common";
import type { PrincipalLimits } from "../security/policy.ts";

/** Who calls. */
export interface Principal {
  /** How it was established, e.g. `loopback`, `jwt`, `mtls`. May stand in logs. */
  readonly kind: string;
  /** Its name; must not stand in logs of calls, only in an audit record. */
  readonly name: string;
  /** Ids of the projects it may name in this call, a trailing `*` standing for any rest; absent: every project. */
  readonly projects?: readonly string[];
  /** Bounds of its own. */
  readonly limits?: Partial<PrincipalLimits>;
}

/** What an authorizer may look at. */
export interface CallToAuthorize {
  /** `package.Service/Method`. */
  readonly method: string;
  readonly metadata: CallContext["metadata"];
  /** Address of the caller as gRPC gives it, e.g. `127.0.0.1:4711` or `[::1]:4711`. */
  readonly peer: string;
  /** DER of the client certificate that TLS verified, when there is one. */
  readonly certificate?: Buffer | undefined;
  readonly signal: AbortSignal;
  /** Hears who calls as soon as that is known: whoever may not is recorded too. */
  readonly identified?: (caller: Pick<Principal, "kind" | "name">) => void;
}

/** Decides who calls and whether they may. Called for every call, health and reflection included. */
export interface Authorizer {
  /**
   * The caller, who may make this call.
   *
   * @throws {DomainError} UNAUTHENTICATED when it is not known who calls, FORBIDDEN when they may not.
   */
  authorize(call: CallToAuthorize): Promise<Principal> | Principal;
}

/** Whether `host`, an address or `localhost`, can be reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(bare);
}

/** The address of a peer without its port. */
export function hostOfPeer(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(":")));
}

/** Serves this machine alone: every loopback caller may do everything, everybody else nothing. The default. */
export function createLoopbackAuthorizer(): Authorizer {
  return {
    authorize({ peer }) {
      if (isLoopbackHost(hostOfPeer(peer))) return { kind: "loopback", name: "local" };
      throw new DomainError("FORBIDDEN", "this server serves its own machine alone; PARFOCAL_ALLOW_REMOTE is false");
    },
  };
}

/** Serves everybody who reaches the port. Right only where the network decides who does. */
export function createOpenAuthorizer(): Authorizer {
  return { authorize: () => ({ kind: "open", name: "anybody" }) };
}
