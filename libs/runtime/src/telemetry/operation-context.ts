import { AsyncLocalStorage } from "node:async_hooks";

/** Metadata key that carries the id of the operation that a call is made for. */
export const OPERATION_KEY = "x-parfocal-operation";

/** What an id may be: it is repeated in headers and logs. */
const OPERATION_ID = /^[A-Za-z0-9_-]{1,64}$/;

const storage = new AsyncLocalStorage<string>();

/** Runs `work` for an operation: lines of logs and calls to stages made within carry its id. */
export function runInOperation<T>(operation: string | undefined, work: () => T): T {
  return operation === undefined ? work() : storage.run(operation, work);
}

/** Id of the operation that this code runs for, if any. */
export function currentOperation(): string | undefined {
  return storage.getStore();
}

/** The id when it is one. */
export function operationFromHeader(value: unknown): string | undefined {
  return typeof value === "string" && OPERATION_ID.test(value) ? value : undefined;
}
