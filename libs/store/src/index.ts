export { judgeProcessMark, ownProcessMark } from "./file/process-mark.ts";
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
export { keyFromUri, uriFromKey } from "./object-uri.ts";
export { openStore } from "./open-store.ts";
export { type ConditionKind, probeStore, type StoreProbe } from "./probe-store.ts";
export { type RememberOptions, rememberStarts } from "./remember-starts.ts";
export type { ChecksumMode, StoreCredentials, StoreOptions } from "./store-options.ts";
export { storeOptionsFromEnv } from "./store-options-from-env.ts";
export { countShared } from "./verified/count-shared.ts";
export {
  type ContentObject,
  type PutIfAbsentOptions,
  putContent,
  putIfAbsent,
  sha256Hex,
} from "./verified/put-if-absent.ts";
export {
  readThenVerify,
  readVerified,
  streamVerified,
  type UnverifiedObject,
  type VerifiedReadOptions,
} from "./verified/read-verified.ts";
export { createSharedPool, type SharedPool } from "./verified/shared-pool.ts";
