import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { StoreConfig } from "../engine-options.ts";

/**
 * Opens the store that the engine was configured with. The package is loaded here, not at start: engines that are fed
 * by message alone never pay for its clients.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it was configured with none
 */
export async function openConfiguredStore(config: StoreConfig | undefined): Promise<ObjectStore> {
  if (config === undefined) {
    throw new DomainError("INVALID_ARGUMENT", "an input comes from the store, but the engine was given no store");
  }
  const { openStore } = await import("@parfocal/store");
  return openStore(config.uri, config.options);
}
