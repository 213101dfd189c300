import { DomainError } from "@parfocal/errors";
import type { commonV1, inferenceV2 } from "@parfocal/protocol";
import { answerOutputs } from "./answer-outputs.ts";
import { withLengths } from "./input-tensor.ts";
import type { OutputTensor } from "./output-tensor.ts";

/** Those that cost the weights of every tile, and so must be asked for by name. */
const ON_REQUEST = ["attention", "coordinates"];

/**
 * The names of the outputs that a request wants; none asked for means the model's answer, see `answerOutputs`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an unknown one, one asked for twice, and parameters (classification and shared memory are
 * not served).
 */
export function wantedOutputs(
  outputs: inferenceV2.ModelInferRequest["outputs"],
  task: commonV1.Task | undefined,
): readonly string[] {
  const always = answerOutputs(task).map(({ name }) => name);
  if (outputs.length === 0) return always;
  const known = [...always, ...ON_REQUEST];
  const names = outputs.map(({ name, parameters }, i) => {
    if (!known.includes(name)) throw refused(`outputs[${i}].name`, `is none of ${known.join(", ")}`);
    if (Object.keys(parameters).length > 0)
      throw refused(`outputs[${i}].parameters`, "are given; an output takes none");
    return name;
  });
  if (new Set(names).size < names.length) throw refused("outputs", "name one twice");
  return names;
}

/** Whether any of `names` needs the weights of the tiles. */
export function needsAttention(names: readonly string[]): boolean {
  return names.some((name) => ON_REQUEST.includes(name));
}

/** Tensors as the protocol gives them: raw to who asked raw, else typed. */
export function encodeOutputs(
  tensors: readonly OutputTensor[],
  isRaw: boolean,
): Pick<inferenceV2.ModelInferResponse, "outputs" | "rawOutputContents"> {
  const outputs = tensors.map(({ name, shape, values }) => ({
    name,
    datatype: values instanceof Float32Array ? "FP32" : "BYTES",
    shape: shape.map(BigInt),
    parameters: {},
    contents: isRaw ? undefined : contentsOf(values),
  }));
  return { outputs, rawOutputContents: isRaw ? tensors.map(({ values }) => rawOf(values)) : [] };
}

function rawOf(values: OutputTensor["values"]): Buffer {
  if (values instanceof Float32Array) return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return withLengths(values.map((text) => Buffer.from(text)));
}

function contentsOf(values: OutputTensor["values"]): inferenceV2.InferTensorContents {
  return {
    ...{ boolContents: [], intContents: [], int64Contents: [], uintContents: [], uint64Contents: [], fp64Contents: [] },
    fp32Contents: values instanceof Float32Array ? Array.from(values) : [],
    bytesContents: values instanceof Float32Array ? [] : values.map((text) => Buffer.from(text)),
  };
}

function refused(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}
