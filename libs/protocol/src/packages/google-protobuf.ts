/** The well-known types of `google.protobuf`. */
export * from "../gen/google/protobuf/any.ts";
export * from "../gen/google/protobuf/duration.ts";
export * from "../gen/google/protobuf/empty.ts";
export * from "../gen/google/protobuf/field_mask.ts";
export * from "../gen/google/protobuf/timestamp.ts";
