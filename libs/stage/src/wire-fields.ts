import { DomainError } from "@parfocal/errors";

/** A JSON object that a strict reader will check: fields that are `undefined` are left to its defaults. */
export type Fields = Readonly<Record<string, unknown>>;

/** The error of a part that must be there. */
export function missing(field: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} is missing`, { details: { field } });
}

/** The fields without those that are `undefined`. */
export function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The value that a table gives an enum's name. @throws {DomainError} `INVALID_ARGUMENT` for a name that is not in it. */
export function choice<T>(field: string, table: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(table, name)) return table[name] as T;
  throw new DomainError("INVALID_ARGUMENT", `${field} is ${name}; it is one of ${Object.keys(table).join(", ")}`, {
    details: { field },
  });
}

/** What the contract's activations are called in configurations. */
export const ACTIVATIONS = {
  ACTIVATION_UNSPECIFIED: undefined,
  ACTIVATION_RELU: "relu",
  ACTIVATION_GELU: "gelu",
  ACTIVATION_TANH: "tanh",
} as const;
