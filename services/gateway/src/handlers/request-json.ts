import { DomainError } from "@parfocal/errors";

/** What of a generated message its canonical JSON needs. */
interface JsonCodec<T> {
  toJSON(message: T): unknown;
}

/** What generated code throws at a number that its enum does not have. */
const UNKNOWN_NUMBER = /^Unrecognized enum value (-?\d+) for enum (\w+)$/;

/**
 * A request in its canonical JSON. On the wire an enum may hold any number; JSON has names, so none for a number that is unknown here.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field, number and enum of such a number.
 */
export function requestJson<T extends object>(codec: JsonCodec<T>, request: T): unknown {
  try {
    return codec.toJSON(request);
  } catch (error) {
    const [, value, name] = UNKNOWN_NUMBER.exec(error instanceof Error ? error.message : "") ?? [];
    if (value === undefined) throw error;
    const field = nameOf(lastRead(codec, request));
    throw new DomainError("INVALID_ARGUMENT", `${field} is ${value}; ${name} has no such value`, {
      details: { field, value },
    });
  }
}

/** A property that was read of a message, or of what lies in it. */
interface Read {
  readonly of: object;
  readonly key: string;
  /** How `of` was come by; `undefined` for the message itself. */
  readonly within: Read | undefined;
}

/** What `toJSON` reads last before it throws: the enum that it cannot name. Linear in the request, and paid by wrong ones alone. */
function lastRead<T extends object>(codec: JsonCodec<T>, request: T): Read | undefined {
  let last: Read | undefined;
  const watched = <V>(value: V, within: Read | undefined): V => {
    // Bytes stay themselves: their methods take no stand-in.
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
    return new Proxy(value, {
      get(of, key) {
        const inner: unknown = Reflect.get(of, key);
        if (typeof key === "symbol" || typeof inner === "function") return inner;
        last = { of, key, within };
        return watched(inner, last);
      },
    });
  };
  try {
    codec.toJSON(watched(request, undefined));
  } catch {
    // As it did before.
  }
  return last;
}

/** A property as the contract names it, e.g. `bags[3].part`. The member of a oneof stands in the place of the oneof. */
function nameOf(read: Read | undefined): string {
  if (read === undefined) return "";
  const { of, key, within } = read;
  if (Array.isArray(of)) return `${nameOf(within)}[${key}]`;
  const isMember = "$case" in of;
  const before = nameOf(isMember ? within?.within : within);
  const name = snakeCase(isMember ? String(of.$case) : key);
  return before === "" ? name : `${before}.${name}`;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
