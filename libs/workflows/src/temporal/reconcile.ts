import type { ObjectStore } from "@parfocal/store";
import type { Clock } from "../clock.ts";
import type { WorkflowLogger } from "../failure.ts";
import { OPEN_PREFIX, type OperationRef, openKey, parseOpenKey } from "../operation-keys.ts";
import { findRequest } from "../operation-request.ts";
import { forEachLimited } from "../operation-scope.ts";
import { isDone, unlessCorrupt } from "../stored-state.ts";
import type { OperationClient } from "./operation-client.ts";
import type { SharedState } from "./shared-state.ts";

/** What {@link reconcile} works with. */
export interface ReconcileScope {
  readonly store: ObjectStore;
  readonly states: SharedState;
  readonly client: OperationClient;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
}

/** A creation that has not written its request after this time was cut off. */
const CREATION_MS = 3_600_000;

/**
 * Sees that every operation that is open in the store runs on the cluster: one whose creation was cut off before it was started
 * there, every one after the cluster lost its database. One that the cluster ended without an outcome (somebody terminated it)
 * gets one. Any process may do this at any time.
 */
export async function reconcile(scope: ReconcileScope): Promise<void> {
  const open: { readonly ref: OperationRef; readonly sinceMs: number }[] = [];
  let pageToken: string | undefined;
  do {
    const page = await scope.store.list(OPEN_PREFIX, pageToken === undefined ? {} : { pageToken });
    for (const { key, lastModifiedMs } of page.objects) {
      const ref = parseOpenKey(key);
      if (ref !== undefined) open.push({ ref, sinceMs: lastModifiedMs });
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  await forEachLimited(open, async ({ ref, sinceMs }) => {
    try {
      await reconcileOne(scope, ref, sinceMs);
    } catch (error) {
      scope.logger.warn({ operation: ref.id, err: error }, "an open operation could not be looked after");
    }
  });
}

async function reconcileOne(scope: ReconcileScope, ref: OperationRef, sinceMs: number): Promise<void> {
  const { store, states, client, clock } = scope;
  const request = await findRequest(store, ref);
  if (request === undefined) {
    if (clock.nowMs() - sinceMs > CREATION_MS) await store.delete(openKey(ref));
    return;
  }
  // One whose state cannot be read is as open as its marker says; its outcome will replace what is there.
  const state = await unlessCorrupt(() => states.read(ref));
  if (state !== undefined && isDone(state)) return await store.delete(openKey(ref));
  if ((await client.ensureStarted({ ...ref, ...request })) === "running") return;
  // An execution ends only after it has published, so this looks again before it speaks for it.
  await states.finish(ref, ENDED_BY_HAND, clock.nowMs());
}

const ENDED_BY_HAND = {
  kind: "failed",
  code: "INTERNAL",
  message: "the Temporal workflow of this operation was ended by hand",
} as const;
