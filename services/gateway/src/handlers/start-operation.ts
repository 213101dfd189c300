import { DomainError } from "@parfocal/errors";
import type { googleLongrunning } from "@parfocal/protocol";
import type { Json, WorkflowDriver } from "@parfocal/workflows";
import { operationFromState } from "../wire.ts";
import { targetOf } from "./operation-target.ts";

/** AIP-155: a UUID, so that two clients do not meet by accident. */
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Starts a workflow on a request in its canonical JSON. The same request id and body give the same operation again.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a request id that is no UUID, `CONFLICT` for one used with another body.
 */
export async function startOperation(
  operations: WorkflowDriver,
  kind: string,
  project: string,
  requestId: string,
  request: unknown,
): Promise<googleLongrunning.Operation> {
  if (requestId !== "" && !REQUEST_ID.test(requestId)) {
    throw new DomainError("INVALID_ARGUMENT", `request_id of ${requestId.length} characters is no UUID`, {
      details: { field: "request_id" },
    });
  }
  const { requestId: _, ...input } = request as { requestId?: string } & Record<string, Json>;
  const id = requestId === "" ? {} : { requestId: requestId.toLowerCase() };
  const target = targetOf(kind, project, input);
  return operationFromState(await operations.start({ project, kind, input, target, ...id }));
}
