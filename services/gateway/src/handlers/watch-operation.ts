import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { operationFromState } from "../wire.ts";

/** `WatchOperation`: every state after a sequence, ending with the done one. A slow reader skips states, never the last. */
export function createWatchOperation({ operations }: Pick<GatewayDeps, "operations">) {
  return async function* (
    { name, afterSequence }: gatewayV1.WatchOperationRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<gatewayV1.WatchOperationResponse> {
    parseResourceName("operation", name);
    for await (const state of operations.watch(name, Number(afterSequence), signal)) {
      yield { operation: operationFromState(state) };
    }
  };
}
