/** The package `parfocal.gateway.v1`. */
export * from "../gen/parfocal/gateway/v1/bag.ts";
export * from "../gen/parfocal/gateway/v1/model.ts";
// Every file with a server stream has one of its own, all the same.
export type { ServerStreamingMethodResult } from "../gen/parfocal/gateway/v1/operation.ts";
export * from "../gen/parfocal/gateway/v1/operation.ts";
export * from "../gen/parfocal/gateway/v1/prediction.ts";
export * from "../gen/parfocal/gateway/v1/training.ts";
