/**
 * The roles that every policy knows. Methods are full names; a trailing `*` stands for any rest. A method that no role of a
 * caller names is denied, so a new RPC is closed until somebody opens it.
 */
export const BUILT_IN_ROLES = {
  /** Looks: catalogues, operations, presets, what the server is. */
  viewer: [
    "parfocal.gateway.v1.BagService/Get*",
    "parfocal.gateway.v1.BagService/List*",
    "parfocal.gateway.v1.ModelService/Get*",
    "parfocal.gateway.v1.ModelService/List*",
    "parfocal.gateway.v1.TrainingService/List*",
    "parfocal.gateway.v1.OperationService/WatchOperation",
    "google.longrunning.Operations/GetOperation",
    "google.longrunning.Operations/ListOperations",
    "google.longrunning.Operations/WaitOperation",
    "inference.GRPCInferenceService/Server*",
    "inference.GRPCInferenceService/ModelReady",
    "inference.GRPCInferenceService/ModelMetadata",
    "grpc.health.v1.Health/*",
    "grpc.reflection.v1.ServerReflection/*",
    "grpc.reflection.v1alpha.ServerReflection/*",
  ],
  /** Looks and predicts. */
  predictor: [
    "parfocal.gateway.v1.PredictionService/*",
    "parfocal.gateway.v1.OperationService/DownloadResult",
    "inference.GRPCInferenceService/ModelInfer",
    "google.longrunning.Operations/CancelOperation",
  ],
  /** Looks, predicts, brings bags and models, trains. */
  trainer: [
    "parfocal.gateway.v1.TrainingService/*",
    "parfocal.gateway.v1.BagService/ImportBags",
    "parfocal.gateway.v1.BagService/UploadBag",
    "parfocal.gateway.v1.BagService/BuildRegions",
    "parfocal.gateway.v1.ModelService/SetAlias",
    "parfocal.gateway.v1.ModelService/ImportModel",
    "parfocal.gateway.v1.ModelService/UploadCheckpoint",
    "parfocal.gateway.v1.ModelService/CompareModels",
  ],
  /** Everything, deletions included. */
  admin: ["*"],
  /** What a gateway or a worker is to the stages. */
  "stage-caller": [
    "parfocal.aggregate.v1.AggregateService/*",
    "parfocal.reembed.v1.ReembedService/*",
    "parfocal.pretrain.v1.PretrainService/*",
    "parfocal.line.v1.LineService/Open",
    "grpc.health.v1.Health/*",
  ],
  /** Asks how it goes. */
  probe: ["grpc.health.v1.Health/*"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Roles that hold what others do. */
const INCLUDED: Readonly<Record<string, readonly (keyof typeof BUILT_IN_ROLES)[]>> = {
  predictor: ["viewer"],
  trainer: ["predictor", "viewer"],
};

/** Every method pattern of a built-in role; `undefined` for a role that is none. */
export function methodsOfRole(role: string): readonly string[] | undefined {
  if (!Object.hasOwn(BUILT_IN_ROLES, role)) return undefined;
  const included = (INCLUDED[role] ?? []).flatMap((name) => BUILT_IN_ROLES[name]);
  return [...BUILT_IN_ROLES[role as keyof typeof BUILT_IN_ROLES], ...included];
}
