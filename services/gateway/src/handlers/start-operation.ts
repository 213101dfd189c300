import { DomainError } from "@parfocal/errors";
import type { googleLongrunning } from "@parfocal/protocol";
import type { Json, WorkflowDriver } from "@parfocal/workflows";
import { operationFromState } from "../wire.ts";
import { targetOf } from "./operation-target.ts";

/** AIP-155: a UUID, so that two clients do not meet by accident. */
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A request for an operation. */
interface OperationToStart {
  /** Kind of its workflow. */
  readonly kind: string;
  readonly project: string;
  /** Empty: none. */
  readonly requestId: string;
  /** The request in its canonical JSON. */
  readonly json: unknown;
}

/**
 * Starts a workflow on a request. The same request id and body give the same operation again, whatever has become of what the
 * request names: only a new operation is checked.
 *
 * @param assertPossible Throws when a new operation could not work as things are now.
 * @throws {DomainError} `INVALID_ARGUMENT` for a request id that is no UUID, `CONFLICT` for one used with another body; what
 *   `assertPossible` throws.
 */
export async function startOperation(
  operations: Pick<WorkflowDriver, "start" | "join">,
  { kind, project, requestId, json }: OperationToStart,
  assertPossible: () => Promise<void>,
): Promise<googleLongrunning.Operation> {
  if (requestId !== "" && !REQUEST_ID.test(requestId)) {
    throw new DomainError("INVALID_ARGUMENT", `request_id of ${requestId.length} characters is no UUID`, {
      details: { field: "request_id" },
    });
  }
  const { requestId: _, ...input } = json as { requestId?: string } & Record<string, Json>;
  const id = requestId === "" ? {} : { requestId: requestId.toLowerCase() };
  const request = { project, kind, input, target: targetOf(kind, project, input), ...id };
  const joined = await operations.join(request);
  if (joined !== undefined) return operationFromState(joined);
  await assertPossible();
  return operationFromState(await operations.start(request));
}
