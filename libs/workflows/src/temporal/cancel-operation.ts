import type { ObjectStore } from "@parfocal/store";
import type { OperationRef } from "../operation-keys.ts";
import { readRequest } from "../operation-request.ts";
import { isDone, unlessCorrupt } from "../stored-state.ts";
import type { OperationClient } from "./operation-client.ts";
import type { SharedState } from "./shared-state.ts";
import { isOpen } from "./store-deletion.ts";

/** What {@link cancelOperation} works with. */
interface CancelScope {
  readonly store: ObjectStore;
  readonly states: SharedState;
  readonly client: OperationClient;
}

/**
 * Asks an operation to stop; one that is done stays as it is. The request is in the store before the cluster hears of it: an outcome
 * that comes in between is a cancellation too. Where the state cannot be read only the cluster hears of it.
 *
 * @throws {DomainError} `NOT_FOUND`; whatever store and cluster throw.
 */
export async function cancelOperation({ store, states, client }: CancelScope, ref: OperationRef): Promise<void> {
  const marked = await unlessCorrupt(() =>
    states.change(ref, (state) => (state.isCancelRequested ? {} : { isCancelRequested: true })),
  );
  const hasEnded = marked === undefined ? !(await isOpen(store, ref)) : isDone(marked);
  if (hasEnded || (await client.cancel(ref))) return;
  if ((await client.ensureStarted({ ...ref, ...(await readRequest(store, ref)) })) === "running") {
    await client.cancel(ref);
  }
}
