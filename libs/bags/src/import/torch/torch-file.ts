import type { PickleValue, TorchStorage } from "./pickle-values.ts";

/** What a `.pt` file holds, and where the bytes of its storages are. */
export interface TorchFile {
  readonly root: PickleValue;
  /**
   * The bytes of a storage, as long as it says.
   *
   * @throws {DomainError} CORRUPT or TRUNCATED when they are not there.
   */
  readonly storage: (storage: TorchStorage) => Uint8Array;
}
