import { type MessageField, messageFields } from "@parfocal/protocol";
import { z } from "zod";
import { enumWords } from "../cohort/spec-paths.ts";
import { snakeCase } from "./field-names.ts";

/** A schema whose issue says what the value should be, as the end of the sentence "it is …". */
type Leaf = z.ZodType;

/** Text; what YAML reads as a whole number is text too, as class names often are. */
export const TEXT = z.union([z.string().min(1), z.int().transform(String)], { error: "text that is not empty" });

/** Marks the issue of an unknown name; the names that there are follow. */
export const KNOWN_NAMES = "it has ";

/** A group of named values that refuses other names. */
export function group<T extends z.core.$ZodShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: ({ code }) => (code === "unrecognized_keys" ? `${KNOWN_NAMES}${known}` : "a group of named values"),
  });
}

/** Settings of {@link contractShape}. */
export interface ContractShapeOptions {
  /** Fields that the file does not have, by their names in the contract's JSON. */
  readonly omit?: readonly string[];
  /** Messages that the word `none` takes out, by the names of their fields. */
  readonly removable?: readonly string[];
}

/**
 * The fields of a message of the contract as optional values of a group: numbers within the bounds of their types, enums as words,
 * messages as groups. Narrower bounds are the service's.
 *
 * @param type Full name, e.g. `parfocal.common.v1.Recipe`.
 */
export function contractShape(type: string, options: ContractShapeOptions = {}): Record<string, z.ZodOptional> {
  const { omit = [], removable = [] } = options;
  const fields = messageFields(type).filter(({ name }) => !omit.includes(name));
  return Object.fromEntries(
    fields.map((field) => {
      const schema = fieldSchema(field);
      const whole = removable.includes(field.name)
        ? z.union([schema, z.literal("none")], { error: "a group of named values, or none" })
        : schema;
      return [snakeCase(field.name), whole.optional()];
    }),
  );
}

function fieldSchema(field: MessageField): Leaf {
  if (!field.isList) return valueSchema(field);
  const item = valueSchema(field);
  return z.array(item, { error: "a list" });
}

function valueSchema({ value }: MessageField): Leaf {
  switch (value.kind) {
    case "flag":
      return z.boolean({ error: "true or false" });
    case "number":
      return z.number({ error: "a number" });
    case "integer":
      return integerSchema(value.min, value.max);
    case "enum": {
      const words = [...enumWords(value.names).keys()];
      return z.enum(words as [string, ...string[]], { error: `one of ${words.join(", ")}` });
    }
    case "message":
      return group(contractShape(value.type));
    default:
      return TEXT;
  }
}

function integerSchema(min: bigint, max: bigint): Leaf {
  const low = Math.max(Number(min), Number.MIN_SAFE_INTEGER);
  const high = Math.min(Number(max), Number.MAX_SAFE_INTEGER);
  const error = "a whole number";
  return z.int({ error }).min(low, { error }).max(high, { error });
}
