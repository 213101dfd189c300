import type { ServerMiddleware } from "nice-grpc-common";
import type { Authorizer, Principal } from "./authorizer.ts";
import type { CallScope } from "./call-scope.ts";

/** Asks the authorizer before anything is spent on the call. */
export function createAuthorize(
  authorizer: Authorizer,
): ServerMiddleware<Pick<CallScope, "principal">, Pick<CallScope, "origin" | "facts">> {
  return async function* authorize(call, context) {
    const { metadata, peer, signal, origin, facts } = context;
    const { certificate } = origin;
    const method = call.method.path.slice(1);
    const identified = (caller: Principal) => {
      facts.principal = caller;
    };
    const principal = await authorizer.authorize({ method, metadata, peer, certificate, signal, identified });
    facts.principal = principal;
    return yield* call.next(call.request, { ...context, principal });
  };
}
