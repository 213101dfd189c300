import type { DomainErrorCode } from "@parfocal/errors";
import { durationFromMs, type RpcDetails } from "@parfocal/protocol";

/** Domain of every `ErrorInfo` of ours: its reasons are the closed list of error codes. */
export const ERROR_DOMAIN = "parfocal";

/** Detail of a DomainError that says how long to wait before the same call may work, in ms. */
export const RETRY_AFTER_KEY = "retryAfterMs";

/** Codes after which the same call may work, and how long to wait when the error does not say (ms). */
const RETRY_AFTER_MS: Readonly<Partial<Record<DomainErrorCode, number>>> = {
  THROTTLED: 2000,
  RESOURCE_EXHAUSTED: 1000,
  UNREACHABLE: 1000,
};

/** Ten minutes: a server that asks for a longer wait than any deadline of ours is not worth asking. */
const MAX_RETRY_AFTER_MS = 600_000;

function retryAfterMs(code: DomainErrorCode, details: Readonly<Record<string, string>>): number | undefined {
  const usual = RETRY_AFTER_MS[code];
  const asked = Number(details[RETRY_AFTER_KEY]);
  return usual !== undefined && asked >= 0 && asked <= MAX_RETRY_AFTER_MS ? asked : usual;
}

/** What `google.rpc` has to say of an error: always its ErrorInfo, else what the code and the details allow. */
export function detailsOf(
  code: DomainErrorCode,
  message: string,
  details: Readonly<Record<string, string>>,
): RpcDetails {
  const field = details.field;
  const delayMs = retryAfterMs(code, details);
  const isBadField = field !== undefined && code === "INVALID_ARGUMENT";
  const resource = code === "NOT_FOUND" || code === "ALREADY_EXISTS" ? details.resourceType : undefined;
  const type = details.precondition;
  const quota = code === "RESOURCE_EXHAUSTED" ? details.quota : undefined;
  return {
    ErrorInfo: { reason: code, domain: ERROR_DOMAIN, metadata: { ...details } },
    ...(delayMs === undefined ? {} : { RetryInfo: { retryDelay: durationFromMs(delayMs) } }),
    ...(isBadField ? { BadRequest: { fieldViolations: [badField(field, message)] } } : {}),
    ...(resource === undefined
      ? {}
      : {
          ResourceInfo: {
            resourceType: resource,
            resourceName: details.resourceName ?? "",
            owner: "",
            description: "",
          },
        }),
    ...(quota === undefined ? {} : { QuotaFailure: { violations: [quotaViolation(quota, message)] } }),
    ...(code === "PRECONDITION_FAILED" && type !== undefined
      ? { PreconditionFailure: { violations: [{ type, subject: details.subject ?? "", description: message }] } }
      : {}),
  };
}

function badField(field: string, description: string) {
  return { field, description, reason: "INVALID_ARGUMENT", localizedMessage: undefined };
}

function quotaViolation(subject: string, description: string) {
  return {
    ...{ subject, description, apiService: "", quotaMetric: "", quotaId: "", quotaDimensions: {} },
    quotaValue: 0n,
    futureQuotaValue: undefined,
  };
}
