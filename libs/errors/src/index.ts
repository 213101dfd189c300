export {
  abortErrorFromSignal,
  assertNotAborted,
  DOMAIN_ERROR_CODES,
  DomainError,
  type DomainErrorCode,
  type DomainErrorOptions,
  isDomainError,
} from "./domain-error.ts";
export { mapBounded } from "./map-bounded.ts";
export { mapYields } from "./map-yields.ts";
export { orAborted } from "./or-aborted.ts";
export { shareWork } from "./share-work.ts";
