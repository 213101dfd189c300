export { createMemoryStore } from "./memory/memory-store.ts";
export type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectBytes,
  ObjectInfo,
  ObjectStore,
  ObjectStream,
  PutOptions,
} from "./object-store.ts";
export { openStore } from "./open-store.ts";
export type { ChecksumMode, StoreCredentials, StoreOptions } from "./store-options.ts";
export { storeOptionsFromEnv } from "./store-options-from-env.ts";
