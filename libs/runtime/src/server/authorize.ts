import type { ServerMiddleware } from "nice-grpc-common";
import type { Authorizer } from "./authorizer.ts";
import type { CallScope } from "./call-scope.ts";

/** Asks the authorizer before anything is spent on the call. */
export function createAuthorize(authorizer: Authorizer): ServerMiddleware<Pick<CallScope, "principal">> {
  return async function* authorize(call, context) {
    const { metadata, peer, signal } = context;
    const principal = await authorizer.authorize({ method: call.method.path.slice(1), metadata, peer, signal });
    return yield* call.next(call.request, { ...context, principal });
  };
}
