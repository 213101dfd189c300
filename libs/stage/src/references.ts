/**
 * @file References as the contract shows them and as the stages use them: the same in every stage.
 */
import type { BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import { keyFromUri, type ObjectStore, uriFromKey } from "@parfocal/store";

/** What of a store tells which URIs are its own. */
export interface StoreRoot extends Pick<ObjectStore, "rootUri"> {
  /** Beginnings of keys that callers may name; absent: every key. */
  readonly allowedPrefixes?: readonly string[];
}

const SHA256 = /^[0-9a-f]{64}$/;
const MANIFEST = "/manifest.json";

/** The error of a field of a request. */
export function invalidField(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}

/** The key that a caller names. @throws {DomainError} `FORBIDDEN` outside the store or the prefixes, or with a `..` in it. */
function keyFromWire(store: StoreRoot, uri: string): string {
  const key = keyFromUri(store, uri);
  const { allowedPrefixes: allowed } = store;
  // A key that climbs would be refused by the store; here it must not pass for one below a prefix.
  const climbs = key.split("/").some((part) => part === "." || part === "..");
  if (!climbs && (allowed === undefined || allowed.some((prefix) => key.startsWith(prefix)))) return key;
  throw new DomainError("FORBIDDEN", `a reference of ${uri.length} characters lies where callers may name nothing`);
}

/** Key and digest of an object in this stage's store. @throws {DomainError} `INVALID_ARGUMENT`, `FORBIDDEN`. */
export function objectFromWire(store: StoreRoot, object: commonV1.ObjectReference | undefined, field: string) {
  if (object === undefined) throw invalidField(field, "is missing");
  const { uri, sha256, sizeBytes } = object;
  if (!SHA256.test(sha256)) throw invalidField(`${field}.sha256`, `has ${sha256.length} characters, not 64 hex digits`);
  return { key: keyFromWire(store, uri), digest: sha256, sizeBytes: Number(sizeBytes) };
}

/** A bag by reference. @throws {DomainError} `INVALID_ARGUMENT` naming the field, `FORBIDDEN` outside the store. */
export function bagRefFromWire(store: StoreRoot, bag: commonV1.BagReference | undefined, field = "bag"): BagRef {
  if (bag === undefined) throw invalidField(field, "is missing");
  const object = objectFromWire(store, bag.object, `${field}.object`);
  const { DATA_TYPE_F16, DATA_TYPE_F32 } = commonV1.DataType;
  if (bag.dtype !== DATA_TYPE_F16 && bag.dtype !== DATA_TYPE_F32) {
    throw invalidField(`${field}.dtype`, "is neither F16 nor F32");
  }
  const dtype = bag.dtype === DATA_TYPE_F16 ? "F16" : "F32";
  return { ...object, n: bag.tileCount, d: bag.featureDim, dtype, hasCoords: bag.hasCoordinates };
}

/** A stored bag as the contract shows it. */
export function bagReferenceFromRef(store: StoreRoot, ref: BagRef): commonV1.BagReference {
  return {
    object: { uri: uriFromKey(store, ref.key), sha256: ref.digest, sizeBytes: BigInt(ref.sizeBytes) },
    tileCount: ref.n,
    featureDim: ref.d,
    dtype: ref.dtype === "F16" ? commonV1.DataType.DATA_TYPE_F16 : commonV1.DataType.DATA_TYPE_F32,
    hasCoordinates: ref.hasCoords,
  };
}

/** Folder and digest of a model package. @throws {DomainError} `INVALID_ARGUMENT`, `FORBIDDEN`. */
export function packageFromWire(store: StoreRoot, model: commonV1.ModelReference | undefined, field = "model") {
  const { key, digest } = objectFromWire(store, model?.manifest, `${field}.manifest`);
  if (!key.endsWith(MANIFEST)) throw invalidField(`${field}.manifest.uri`, "is not that of a manifest.json");
  return { folder: key.slice(0, -MANIFEST.length), digest };
}

/** Key of a folder named by URI, without a trailing slash. @throws {DomainError} `FORBIDDEN` outside the store. */
export function folderFromWire(store: StoreRoot, uri: string): string {
  return keyFromWire(store, uri.replace(/\/+$/, ""));
}

/** The reference under which a published package is served. */
export function modelReferenceOf(
  store: StoreRoot,
  published: { readonly manifestKey: string; readonly digest: string },
  sizeBytes: number,
): commonV1.ModelReference {
  const { manifestKey, digest } = published;
  return { manifest: { uri: uriFromKey(store, manifestKey), sha256: digest, sizeBytes: BigInt(sizeBytes) } };
}
