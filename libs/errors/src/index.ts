export {
  abortErrorFromSignal,
  assertNotAborted,
  DOMAIN_ERROR_CODES,
  DomainError,
  type DomainErrorCode,
  type DomainErrorOptions,
  isDomainError,
} from "./domain-error.ts";
