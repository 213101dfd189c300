import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { StoreConfig } from "../engine-options.ts";

/**
 * Opens the store that the engine was configured with. The package is loaded here, not at start: the main thread of the
 * engine process, which only writes, needs its clients late or never.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it was configured with none
 */
export async function openConfiguredStore(config: StoreConfig | undefined): Promise<ObjectStore> {
  if (config === undefined) throw noStoreError();
  const { openStore } = await import("@parfocal/store");
  return openStore(config.uri, config.options);
}

/** What is said where the store is needed and there is none. */
export function noStoreError(): DomainError {
  return new DomainError("INVALID_ARGUMENT", "a tensor comes from or goes to the store, but the engine was given none");
}
