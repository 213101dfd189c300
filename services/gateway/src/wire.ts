/**
 * @file The only file of the gateway that knows both the contract's messages and the domain's types.
 */
import type { BagMetadata, BagRef } from "@parfocal/bags";
import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import {
  type AnyCodec,
  commonV1,
  gatewayV1,
  type googleLongrunning,
  packAny,
  resourceName,
  timestampFromMs,
} from "@parfocal/protocol";
import { STATUS_BY_CODE, statusFromError } from "@parfocal/runtime";
import { keyFromUri, type ObjectStore, uriFromKey } from "@parfocal/store";
import type { Json, OperationState } from "@parfocal/workflows";
import type { BagEntry } from "./catalog/bag-catalog.ts";
import type { ImportHints, ImportOutcome } from "./imports/import-messages.ts";

type StoreRoot = Pick<ObjectStore, "rootUri">;

/** A stored bag as the stages take it. */
export function bagReferenceFromRef(store: StoreRoot, ref: BagRef): commonV1.BagReference {
  return {
    object: { uri: uriFromKey(store, ref.key), sha256: ref.digest, sizeBytes: BigInt(ref.sizeBytes) },
    tileCount: ref.n,
    featureDim: ref.d,
    dtype: ref.dtype === "F16" ? commonV1.DataType.DATA_TYPE_F16 : commonV1.DataType.DATA_TYPE_F32,
    hasCoordinates: ref.hasCoords,
  };
}

/** A bag that a stage left in our store. @throws {DomainError} `INTERNAL` for a reference without an object. */
export function refFromBagReference(store: StoreRoot, bag: commonV1.BagReference): BagRef {
  if (bag.object === undefined) throw new DomainError("INTERNAL", "a stage answered with a bag that is nowhere");
  const { uri, sha256, sizeBytes } = bag.object;
  return {
    ...{ key: keyFromUri(store, uri), digest: sha256, sizeBytes: Number(sizeBytes) },
    ...{ n: bag.tileCount, d: bag.featureDim, hasCoords: bag.hasCoordinates },
    dtype: bag.dtype === commonV1.DataType.DATA_TYPE_F16 ? "F16" : "F32",
  };
}

/** A bag of a project as clients see it. */
export function bagFromEntry(store: StoreRoot, project: string, entry: BagEntry): gatewayV1.Bag {
  return {
    name: resourceName("bag", { project, bag: entry.ref.digest }),
    reference: bagReferenceFromRef(store, entry.ref),
    info: infoFromMetadata(entry.metadata),
  };
}

const COORDINATE_UNITS = {
  unspecified: gatewayV1.BagInfo_CoordinateUnit.COORDINATE_UNIT_UNSPECIFIED,
  level0_px: gatewayV1.BagInfo_CoordinateUnit.COORDINATE_UNIT_LEVEL0_PX,
  encoded_px: gatewayV1.BagInfo_CoordinateUnit.COORDINATE_UNIT_ENCODED_PX,
} as const;

function infoFromMetadata(metadata: BagMetadata): gatewayV1.BagInfo {
  return {
    slideId: metadata.slideId ?? "",
    patientId: metadata.patientId ?? "",
    encoder: metadata.encoder ?? "",
    tilePx: metadata.tilePx,
    mpp: metadata.mpp,
    stridePx: metadata.stridePx,
    level0StridePx: metadata.level0StridePx,
    level0Mpp: metadata.level0Mpp,
    sourceLabel: metadata.sourceLabel ?? "",
    sourceSha256: metadata.sourceDigest ?? "",
    importer: metadata.importer ?? "",
    levelCount: metadata.levelCount,
    surrogateLevels: [...(metadata.surrogateLevels ?? [])],
    coordinateUnit: COORDINATE_UNITS[metadata.coordUnit ?? "unspecified"],
  };
}

/** What the client knows better than the file; empty and absent fields are left to the importer. */
export function hintsFromWire(hints: gatewayV1.ImportHints | undefined): ImportHints {
  if (hints === undefined) return {};
  return {
    ...(hints.slideId === "" ? {} : { slideId: hints.slideId }),
    ...(hints.patientId === "" ? {} : { patientId: hints.patientId }),
    ...(hints.encoder === "" ? {} : { encoder: hints.encoder }),
    ...(hints.tilePx === undefined ? {} : { tilePx: hints.tilePx }),
    ...(hints.mpp === undefined ? {} : { mpp: hints.mpp }),
    ...(hints.level0Mpp === undefined ? {} : { level0Mpp: hints.level0Mpp }),
  };
}

/** One outcome of an import as clients see it. */
export function importedBagFromOutcome(
  store: StoreRoot,
  project: string,
  path: string,
  outcome: ImportOutcome,
  existed: boolean,
): gatewayV1.ImportedBag {
  if (outcome.kind === "error") {
    const { code, message } = outcome;
    return { path, result: { $case: "error", value: { code, message } }, inferred: {}, existed };
  }
  const bag = bagFromEntry(store, project, { ref: outcome.ref, metadata: outcome.metadata });
  return { path, result: { $case: "bag", value: bag }, inferred: { ...outcome.inferred }, existed };
}

/** Packs the journaled JSON of a response into its message. */
function responsePacker<T>(typeName: string, codec: AnyCodec<T> & { fromJSON(json: unknown): T }) {
  return (json: Json) => packAny(typeName, codec, codec.fromJSON(json));
}

/** What each kind of operation answers. */
const RESPONSES: Readonly<Record<string, ReturnType<typeof responsePacker>>> = {
  train: responsePacker("parfocal.gateway.v1.GetModelResponse", gatewayV1.GetModelResponse),
  "import-model": responsePacker("parfocal.gateway.v1.GetModelResponse", gatewayV1.GetModelResponse),
  pretrain: responsePacker("parfocal.gateway.v1.GetModelResponse", gatewayV1.GetModelResponse),
  batch: responsePacker("parfocal.gateway.v1.BatchPredictResponse", gatewayV1.BatchPredictResponse),
  "cross-validate": responsePacker("parfocal.gateway.v1.CrossValidateResponse", gatewayV1.CrossValidateResponse),
  import: responsePacker("parfocal.gateway.v1.ImportBagsResponse", gatewayV1.ImportBagsResponse),
  "build-regions": responsePacker("parfocal.gateway.v1.BuildRegionsResponse", gatewayV1.BuildRegionsResponse),
};

/** An operation as `google.longrunning` shows it. */
export function operationFromState(state: OperationState): googleLongrunning.Operation {
  return {
    name: state.name,
    metadata: packAny("parfocal.gateway.v1.OperationMetadata", gatewayV1.OperationMetadata, metadataFromState(state)),
    done: state.outcome.kind !== "running",
    result: resultFromState(state),
  };
}

function metadataFromState(state: OperationState): gatewayV1.OperationMetadata {
  return {
    createTime: timestampFromMs(state.createTimeMs),
    endTime: state.endTimeMs === undefined ? undefined : timestampFromMs(state.endTimeMs),
    verb: state.kind,
    phase: state.progress.phase,
    fraction: state.progress.fraction,
    etaS: state.progress.etaS,
    counters: { ...state.progress.counters },
    cancelRequested: state.isCancelRequested,
    sequence: BigInt(state.sequence),
    target: state.target ?? "",
  };
}

function resultFromState({ kind, outcome }: OperationState): googleLongrunning.Operation["result"] {
  switch (outcome.kind) {
    case "running":
      return undefined;
    case "succeeded":
      return { $case: "response", value: packResponse(kind, outcome.response) };
    case "failed": {
      const code = Object.hasOwn(STATUS_BY_CODE, outcome.code) ? (outcome.code as DomainErrorCode) : "INTERNAL";
      const { message, details = {} } = outcome;
      return { $case: "error", value: statusFromError(new DomainError(code, message, { details })) };
    }
  }
}

function packResponse(kind: string, response: Json) {
  const pack = RESPONSES[kind];
  if (pack === undefined) throw new DomainError("INTERNAL", `operations of kind "${kind}" have no response type`);
  return pack(response);
}
