import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { OperationState } from "@parfocal/workflows";
import type { GatewayDeps } from "../deps.ts";
import { operationFromState } from "../wire.ts";

/** One message for all who watch: five hundred of them would each make the same one anew. */
const responses = new WeakMap<OperationState, gatewayV1.WatchOperationResponse>();

function responseOf(state: OperationState): gatewayV1.WatchOperationResponse {
  const known = responses.get(state);
  if (known !== undefined) return known;
  const response = { operation: operationFromState(state) };
  responses.set(state, response);
  return response;
}

/** `WatchOperation`: every state after a sequence, ending with the done one. A slow reader skips states, never the last. */
export function createWatchOperation({ operations }: Pick<GatewayDeps, "operations">) {
  return async function* (
    { name, afterSequence }: gatewayV1.WatchOperationRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<gatewayV1.WatchOperationResponse> {
    parseResourceName("operation", name);
    for await (const state of operations.watch(name, Number(afterSequence), signal)) {
      yield responseOf(state);
    }
  };
}
