import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { DomainError } from "@parfocal/errors";
import type { Any } from "./gen/google/protobuf/any.ts";

/** What of a generated message an `Any` needs. */
export interface AnyCodec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}

const TYPE_URL_PREFIX = "type.googleapis.com/";

/** `message` as an `Any` of `typeName`, the full protobuf name such as `google.rpc.ErrorInfo`. */
export function packAny<T>(typeName: string, codec: AnyCodec<T>, message: T): Any {
  return { typeUrl: `${TYPE_URL_PREFIX}${typeName}`, value: Buffer.from(codec.encode(message).finish()) };
}

/**
 * The message in `any`, or `undefined` when it holds another type. Only the part after the last slash of the type URL
 * counts, as protobuf says.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it names the type and the bytes are not one.
 */
export function unpackAny<T>(typeName: string, codec: AnyCodec<T>, any: Any | undefined): T | undefined {
  if (any === undefined || any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1) !== typeName) return undefined;
  try {
    return codec.decode(any.value);
  } catch (cause) {
    throw new DomainError("INVALID_ARGUMENT", `an Any of ${any.value.length} bytes is no ${typeName}`, { cause });
  }
}
