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
