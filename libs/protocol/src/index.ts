export { type AnyCodec, packAny, unpackAny } from "./any.ts";
export { createDescriptorIndex, type DescriptorIndex, type IndexedFile } from "./descriptor-index.ts";
export { readDescriptorSet } from "./descriptor-set.ts";
export * as googleLongrunning from "./gen/google/longrunning/operations.ts";
export * as grpcHealthV1 from "./gen/grpc/health/v1/health.ts";
export * as grpcReflectionV1 from "./gen/grpc/reflection/v1/reflection.ts";
export * as grpcReflectionV1alpha from "./gen/grpc/reflection/v1alpha/reflection.ts";
export * as inferenceV2 from "./gen/inference/grpc_service.ts";
export * as aggregateV1 from "./gen/parfocal/aggregate/v1/aggregate.ts";
export * as lineV1 from "./gen/parfocal/line/v1/line.ts";
export * as pretrainV1 from "./gen/parfocal/pretrain/v1/pretrain.ts";
export * as reembedV1 from "./gen/parfocal/reembed/v1/reembed.ts";
export { type FieldValue, type MessageField, messageFields } from "./message-fields.ts";
export * as commonV1 from "./packages/common-v1.ts";
export * as gatewayV1 from "./packages/gateway-v1.ts";
export * as googleProtobuf from "./packages/google-protobuf.ts";
export * as googleRpc from "./packages/google-rpc.ts";
export {
  isResourceId,
  type ParsedResource,
  parseAnyResourceName,
  parseResourceName,
  RESOURCE_ID_PATTERN,
  RESOURCE_PATTERNS,
  type ResourceIds,
  type ResourceKind,
  resourceName,
} from "./resource-names.ts";
export {
  decodeRpcStatus,
  encodeRpcStatus,
  findDetail,
  type RpcDetails,
  type RpcStatus,
  STATUS_DETAILS_KEY,
} from "./rpc-status.ts";
export { durationFromMs, msFromDuration, msFromTimestamp, timestampFromMs } from "./time.ts";
