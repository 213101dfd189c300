import { createFileRegistry, type DescField, type FileRegistry, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "./descriptor-set.ts";

/** A field of a message, as far as tools that read and show values by name need it. */
export interface MessageField {
  /** Name in the contract's JSON. */
  readonly name: string;
  readonly isList: boolean;
  /** Whether "absent" is a state of its own: messages and `optional` fields. */
  readonly canBeAbsent: boolean;
  readonly value: FieldValue;
}

/** What a field, or each element of a list, holds. Maps count as messages of no known fields. */
export type FieldValue =
  | { readonly kind: "flag" | "number" | "text" | "bytes" }
  /** Bounds are those of the type, both inclusive. */
  | { readonly kind: "integer"; readonly min: bigint; readonly max: bigint }
  /** `names`: every value's, the unspecified one first. */
  | { readonly kind: "enum"; readonly names: readonly string[] }
  /** `type`: the message's full name. */
  | { readonly kind: "message"; readonly type: string };

const cache: { registry?: FileRegistry } = {};

/**
 * The fields of a message of the contracts by its full name, e.g. `parfocal.common.v1.Recipe`, in the order of their numbers.
 * None for a message that is in no contract.
 */
export function messageFields(type: string): readonly MessageField[] {
  cache.registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, readDescriptorSet()));
  return (cache.registry.getMessage(type)?.fields ?? []).map(fieldOf);
}

function fieldOf(field: DescField): MessageField {
  return {
    name: field.jsonName,
    isList: field.fieldKind === "list",
    canBeAbsent: field.fieldKind === "message" || field.proto.proto3Optional,
    value: contentOf(field),
  };
}

function contentOf(field: DescField): FieldValue {
  if (field.fieldKind === "map") return { kind: "message", type: "" };
  if (field.enum !== undefined) return { kind: "enum", names: field.enum.values.map(({ name }) => name) };
  if (field.message !== undefined) return { kind: "message", type: field.message.typeName };
  const scalar = field.scalar ?? ScalarType.STRING;
  const kind = SCALARS[scalar];
  return kind === undefined ? { kind: "integer", ...boundsOf(scalar) } : { kind };
}

function boundsOf(scalar: ScalarType): { readonly min: bigint; readonly max: bigint } {
  const bits = LONG.has(scalar) ? 64n : 32n;
  if (UNSIGNED.has(scalar)) return { min: 0n, max: (1n << bits) - 1n };
  return { min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n };
}

const { INT64, SINT64, SFIXED64, UINT32, FIXED32, UINT64, FIXED64 } = ScalarType;
const LONG: ReadonlySet<ScalarType> = new Set([INT64, SINT64, SFIXED64, UINT64, FIXED64]);
const UNSIGNED: ReadonlySet<ScalarType> = new Set([UINT32, FIXED32, UINT64, FIXED64]);

/** Scalars that are no whole numbers. */
const SCALARS: Partial<Record<ScalarType, "flag" | "number" | "text" | "bytes">> = {
  [ScalarType.BOOL]: "flag",
  [ScalarType.DOUBLE]: "number",
  [ScalarType.FLOAT]: "number",
  [ScalarType.STRING]: "text",
  [ScalarType.BYTES]: "bytes",
};
