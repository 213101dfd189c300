/** The package `parfocal.common.v1`. */
export * from "../gen/parfocal/common/v1/attention.ts";
export * from "../gen/parfocal/common/v1/prediction.ts";
export * from "../gen/parfocal/common/v1/pretraining.ts";
export * from "../gen/parfocal/common/v1/reference.ts";
export * from "../gen/parfocal/common/v1/training.ts";
