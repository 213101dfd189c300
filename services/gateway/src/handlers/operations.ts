import { DomainError } from "@parfocal/errors";
import { googleLongrunning, msFromDuration, parseResourceName } from "@parfocal/protocol";
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

/** Bytes of the operations of a page: a client with gRPC's own bound takes 4 MiB, and the answer of one operation has at most some 1 MiB. */
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/**
 * `ListOperations` of a project: a page size of 0 means 100, one above 1000 means 1000, as in every listing. `filter` takes `verb="train"` and
 * `done=true`, joined by AND. A page ends before it is larger than a client can take, and then has fewer operations than asked for.
 */
export function createListOperations({ operations }: Deps) {
  return async (
    request: googleLongrunning.ListOperationsRequest,
  ): Promise<googleLongrunning.ListOperationsResponse> => {
    const { project } = parseResourceName("project", request.name.replace(/\/operations$/, ""));
    const { verb, isDone } = parseOperationFilter(request.filter);
    let pageSize = pageSizeFrom(request.pageSize);
    for (;;) {
      const page = await operations.list(project, {
        pageSize,
        ...(request.pageToken === "" ? {} : { pageToken: request.pageToken }),
        ...(verb === undefined ? {} : { kind: verb }),
        ...(isDone === undefined ? {} : { isDone }),
      });
      const shown = page.operations.map(operationFromState);
      const sizeBytes = shown.reduce(
        (sum, each) => sum + googleLongrunning.Operation.encode(each).finish().byteLength,
        0,
      );
      if (sizeBytes <= MAX_PAGE_BYTES || shown.length === 1) {
        return { operations: shown, nextPageToken: page.nextPageToken ?? "", unreachable: [] };
      }
      // Answers of imports and trainings are large; a page of them alone is as good as never asked for.
      pageSize = Math.max(1, Math.floor((shown.length * MAX_PAGE_BYTES) / (2 * sizeBytes)));
    }
  };
}

function pageSizeFrom(requested: number): number {
  if (requested >= 0) return requested === 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
  const message = `page_size is ${requested}; it is 0 to ${MAX_PAGE_SIZE}`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "page_size" } });
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

/** How long before its deadline a call is answered, ms: what the answer's way takes. */
const ANSWER_MS = 500;

/**
 * `WaitOperation`: the operation as soon as it is done, or as it is after `timeout`, and shortly before the call's deadline, its own or the
 * default one, at the latest.
 */
export function createWaitOperation({ operations }: Deps) {
  return async (
    { name, timeout }: googleLongrunning.WaitOperationRequest,
    { signal, deadlineMs = Number.POSITIVE_INFINITY }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    parseResourceName("operation", name);
    const askedMs = timeout === undefined ? MAX_WAIT_MS : msFromDuration(timeout);
    if (askedMs < 0) throw new DomainError("INVALID_ARGUMENT", `timeout is ${askedMs} ms; it is 0 or more`);
    const leftMs = deadlineMs - Date.now();
    const waitMs = Math.min(askedMs, MAX_WAIT_MS, Math.max(0, leftMs - Math.min(ANSWER_MS, leftMs / 4)));
    return operationFromState(await waitForOperation(operations, name, waitMs, signal));
  };
}
