import type { ObjectStore } from "@parfocal/store";

/** Bytes that passed a store. */
export interface StoreTraffic {
  readBytes: number;
  writtenBytes: number;
}

/** The same store, which counts into `traffic` what is read and written. */
export function countTraffic(store: ObjectStore, traffic: StoreTraffic): ObjectStore {
  return {
    ...store,
    async get(key, options) {
      const object = await store.get(key, options);
      traffic.readBytes += object.bytes.length;
      return object;
    },
    async getStream(key, options) {
      const object = await store.getStream(key, options);
      const range = options?.range ?? { start: 0, end: object.sizeBytes };
      traffic.readBytes += range.end - range.start;
      return object;
    },
    async put(key, body, options) {
      const info = await store.put(key, body, options);
      traffic.writtenBytes += info.sizeBytes;
      return info;
    },
  };
}
