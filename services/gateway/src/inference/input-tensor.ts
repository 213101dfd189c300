import { DomainError } from "@parfocal/errors";
import type { inferenceV2 } from "@parfocal/protocol";

type ModelInferRequest = inferenceV2.ModelInferRequest;
type Contents = inferenceV2.InferTensorContents;

/** An input tensor of a request: its elements row-major and little endian, `BYTES` with a length of 4 bytes before each. */
export interface InputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** Where it stands in the request, e.g. `inputs[0]`, for errors. */
  readonly field: string;
}

/** Most axes of a tensor. */
const MAX_RANK = 8;

/**
 * The input tensors of a request, whether their elements travel raw or typed.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field: raw and typed contents mixed, contents of another type than the datatype's,
 * a negative size, a parameter (shared memory is not served).
 */
export function inputTensorsOf({ inputs, rawInputContents }: ModelInferRequest): InputTensor[] {
  const isRaw = rawInputContents.length > 0;
  if (isRaw && rawInputContents.length !== inputs.length) {
    throw refused("raw_input_contents", `has ${rawInputContents.length} entries for ${inputs.length} inputs`);
  }
  return inputs.map((input, i) => {
    const field = `inputs[${i}]`;
    const { name, datatype, contents } = input;
    const [parameter] = Object.keys(input.parameters);
    if (parameter !== undefined)
      throw refused(`${field}.parameters`, `are given; an input takes none, and no shared memory`);
    if (isRaw && contents !== undefined) throw refused(`${field}.contents`, "are given beside raw_input_contents");
    const bytes = isRaw ? rawInputContents[i]! : bytesOfContents(datatype, contents, field);
    return { name, datatype, shape: shapeOf(input.shape, field), bytes, field };
  });
}

function shapeOf(shape: readonly bigint[], field: string): number[] {
  if (shape.length > MAX_RANK) throw refused(`${field}.shape`, `has ${shape.length} axes, the bound is ${MAX_RANK}`);
  return shape.map((size) => {
    if (size >= 0n && size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
    throw refused(`${field}.shape`, `holds ${size}, which is no size`);
  });
}

/** How the elements of a datatype travel typed. */
const TYPED: Readonly<Record<string, (contents: Contents) => ArrayBufferView>> = {
  FP32: ({ fp32Contents }) => Float32Array.from(fp32Contents),
  FP64: ({ fp64Contents }) => Float64Array.from(fp64Contents),
  INT32: ({ intContents }) => Int32Array.from(intContents),
  INT64: ({ int64Contents }) => BigInt64Array.from(int64Contents),
  BYTES: ({ bytesContents }) => withLengths(bytesContents),
};

function bytesOfContents(datatype: string, contents: Contents | undefined, field: string): Uint8Array {
  const read = Object.hasOwn(TYPED, datatype) ? TYPED[datatype] : undefined;
  if (read === undefined) {
    throw refused(
      `${field}.datatype`,
      `is not read from typed contents (${Object.keys(TYPED).join(", ")}); send raw ones`,
    );
  }
  if (contents === undefined) throw refused(field, "has neither contents nor raw_input_contents");
  const view = read(contents);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Byte strings, each after its length: the raw form of `BYTES`. */
export function withLengths(strings: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    strings.flatMap((bytes) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

/**
 * The one text of a `BYTES` tensor of one element.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for another datatype or number of elements, and for what is no UTF-8.
 */
export function textOf({ datatype, bytes, shape, field }: InputTensor): string {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (datatype !== "BYTES" || elements !== 1) throw refused(field, "must be one BYTES element, of shape [1]");
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < 4 || view.readUInt32LE(0) !== view.length - 4) {
    throw refused(field, `has ${view.length} bytes, which are not one length and its text`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(view.subarray(4));
  } catch {
    throw refused(field, "is not UTF-8");
  }
}

function refused(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}
