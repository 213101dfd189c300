import { DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import type { OperationState } from "./workflow.ts";

/** An error that survives a journal. */
export type Failure = {
  readonly code: DomainErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
};

/** Where the driver tells what clients must not see; pino's signature. */
export interface WorkflowLogger {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Drops everything. */
export const SILENT_LOGGER: WorkflowLogger = { warn: () => undefined, error: () => undefined };

/**
 * What clients may know of an error: code and message of a `DomainError`; of anything else only an incident id, under
 * which the log has the rest.
 */
export function failureFromUnknown(
  error: unknown,
  logger: WorkflowLogger,
  randomHex: (nBytes: number) => string,
): Failure {
  if (isDomainError(error)) return { code: error.code, message: error.message, details: error.details };
  const incident = randomHex(8);
  logger.error({ incident, err: error }, "a workflow failed in a way that nobody foresaw");
  return { code: "INTERNAL", message: `internal error, incident ${incident}`, details: { incident } };
}

/** The outcome of an operation that `error` ended. */
export function failedOutcome(...args: Parameters<typeof failureFromUnknown>): OperationState["outcome"] {
  const { details, ...failure } = failureFromUnknown(...args);
  return { kind: "failed", ...failure, ...(Object.keys(details).length > 0 && { details }) };
}

/** The error that a journaled failure stands for. */
export function errorFromFailure(failure: Failure, cause?: unknown): DomainError {
  return new DomainError(failure.code, failure.message, { details: failure.details, cause });
}
