import { DomainError } from "@parfocal/errors";
import { type googleLongrunning, msFromDuration, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { waitForOperation } from "@parfocal/workflows";
import type { GatewayDeps } from "../deps.ts";
import { operationFromState } from "../wire.ts";
import { parseOperationFilter } from "./operation-filter.ts";

type Deps = Pick<GatewayDeps, "operations">;

/** `GetOperation`. */
export function createGetOperation({ operations }: Deps) {
  return async ({ name }: googleLongrunning.GetOperationRequest): Promise<googleLongrunning.Operation> => {
    parseResourceName("operation", name);
    return operationFromState(await operations.get(name));
  };
}

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/**
 * `ListOperations` of a project: a page size of 0 means 100, one above 1000 means 1000, as in every listing. `filter` takes `verb="train"` and `done=true`, joined by AND.
 */
export function createListOperations({ operations }: Deps) {
  return async (
    request: googleLongrunning.ListOperationsRequest,
  ): Promise<googleLongrunning.ListOperationsResponse> => {
    const { project } = parseResourceName("project", request.name.replace(/\/operations$/, ""));
    const { verb, isDone } = parseOperationFilter(request.filter);
    const page = await operations.list(project, {
      pageSize: request.pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(request.pageSize, MAX_PAGE_SIZE),
      ...(request.pageToken === "" ? {} : { pageToken: request.pageToken }),
      ...(verb === undefined ? {} : { kind: verb }),
      ...(isDone === undefined ? {} : { isDone }),
    });
    return {
      operations: page.operations.map(operationFromState),
      nextPageToken: page.nextPageToken ?? "",
      unreachable: [],
    };
  };
}

/** `CancelOperation`: asks; the operation ends with status CANCELLED. */
export function createCancelOperation({ operations }: Deps) {
  return async ({ name }: googleLongrunning.CancelOperationRequest) => {
    parseResourceName("operation", name);
    await operations.cancel(name);
    return {};
  };
}

/** `DeleteOperation`: forgets a done operation and its temporary objects. */
export function createDeleteOperation({ operations }: Deps) {
  return async ({ name }: googleLongrunning.DeleteOperationRequest) => {
    parseResourceName("operation", name);
    await operations.delete(name);
    return {};
  };
}

/** Longest wait of one call, ms; clients that need longer ask again or watch. */
const MAX_WAIT_MS = 3_600_000;

/** `WaitOperation`: the operation as soon as it is done, or as it is after `timeout`. */
export function createWaitOperation({ operations }: Deps) {
  return async (
    { name, timeout }: googleLongrunning.WaitOperationRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    parseResourceName("operation", name);
    const timeoutMs = timeout === undefined ? MAX_WAIT_MS : msFromDuration(timeout);
    if (timeoutMs < 0) throw new DomainError("INVALID_ARGUMENT", `timeout is ${timeoutMs} ms; it is 0 or more`);
    return operationFromState(await waitForOperation(operations, name, Math.min(timeoutMs, MAX_WAIT_MS), signal));
  };
}
