import type { ServerMiddleware } from "nice-grpc-common";
import type { AuditLog } from "../security/audit-log.ts";
import type { PrincipalLimiter } from "../security/principal-limiter.ts";
import { hostOfPeer, type Principal } from "./authorizer.ts";
import type { CallScope } from "./call-scope.ts";

/** Options of {@link createLimit}. */
export interface LimitOptions {
  readonly limiter: PrincipalLimiter;
  /** Where calls are recorded; none begins that it must and could not record. */
  readonly audit?: Pick<AuditLog, "assertWritable"> | undefined;
}

/**
 * Keeps every caller to its share. Callers whom nobody knows are told apart by their address; those of this machine are
 * not limited, as they could not be told apart.
 */
export function createLimit({ limiter, audit }: LimitOptions): ServerMiddleware<object, Pick<CallScope, "principal">> {
  return async function* limit(call, context) {
    audit?.assertWritable();
    const key = keyOf(context.principal, context.peer);
    const end = key === undefined ? undefined : limiter.begin(key, context.principal.limits);
    try {
      return yield* call.next(call.request, context);
    } finally {
      end?.();
    }
  };
}

function keyOf({ kind, name }: Principal, peer: string): string | undefined {
  if (kind === "loopback") return undefined;
  return kind === "open" || kind === "probe" ? `${kind}:${hostOfPeer(peer)}` : `${kind}:${name}`;
}
