import { encodeSafetensors, type SafetensorsDtype, type SafetensorsInput } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { inferenceV2 } from "@parfocal/protocol";
import type { ImportHints } from "../imports/import-messages.ts";
import { type InputTensor, inputTensorsOf, textOf } from "./input-tensor.ts";

/** What an inference is about. */
export type InferSubject =
  /** A bag of the catalog, by name. */
  | { readonly kind: "bag"; readonly name: string }
  /** A file of the store, below the import roots, by URI. */
  | { readonly kind: "object"; readonly uri: string }
  /** Tensors that came with the request, as a safetensors file. */
  | { readonly kind: "tensors"; readonly file: Uint8Array };

/** Datatypes of the protocol that features and coordinates may have. */
const DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  ...{ FP16: "F16", BF16: "BF16", FP32: "F32", FP64: "F64" },
  ...{ INT32: "I32", INT64: "I64" },
};

const INPUTS = ["features", "coords", "bag"];

/**
 * What a request asks about: `bag`, one `BYTES` element with a bag's name or a file's URI, or `features` `[N, D]` with optional `coords`
 * `[N, 2]`. Values are not looked at here: the import process does.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the input; `SHAPE_MISMATCH` when a tensor's bytes are not those of its shape.
 */
export function inferSubjectOf(request: inferenceV2.ModelInferRequest): InferSubject {
  const tensors = new Map<string, InputTensor>();
  for (const tensor of inputTensorsOf(request)) {
    const { name, field } = tensor;
    if (!INPUTS.includes(name)) throw refused(`${field}.name`, `is none of ${INPUTS.join(", ")}`);
    if (tensors.has(name)) throw refused(`${field}.name`, `is ${name} a second time`);
    tensors.set(name, tensor);
  }
  const [bag, features, coords] = [tensors.get("bag"), tensors.get("features"), tensors.get("coords")];
  if (bag !== undefined && tensors.size === 1) return referenceOf(textOf(bag));
  if (bag !== undefined) throw refused("inputs", "have bag and tensors of a bag; send one of them");
  if (features === undefined) throw refused("inputs", "have neither features nor bag");
  const named = new Map([["features", safetensorsOf(features)]]);
  if (coords !== undefined) named.set("coords", safetensorsOf(coords));
  return { kind: "tensors", file: encodeSafetensors(named) };
}

function referenceOf(text: string): InferSubject {
  return text.includes("://") ? { kind: "object", uri: text } : { kind: "bag", name: text };
}

function safetensorsOf({ datatype, shape, bytes, field }: InputTensor): SafetensorsInput {
  const dtype = Object.hasOwn(DTYPES, datatype) ? DTYPES[datatype] : undefined;
  if (dtype === undefined) throw refused(`${field}.datatype`, `is none of ${Object.keys(DTYPES).join(", ")}`);
  return { dtype, shape, data: bytes };
}

const HINTS = { encoder: "encoder", tile_px: "tilePx", mpp: "mpp", level0_mpp: "level0Mpp" } as const;

/**
 * What the parameters of a request say of the bag: `encoder` (text), `tile_px`, `mpp`, `level0_mpp` (numbers), as in `ImportHints`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for another parameter, or one of another type.
 */
export function importHintsOf(parameters: inferenceV2.ModelInferRequest["parameters"]): ImportHints {
  const entries = Object.entries(parameters).map(([name, { parameterChoice }]) => {
    const hint = Object.hasOwn(HINTS, name) ? HINTS[name as keyof typeof HINTS] : undefined;
    if (hint === undefined) throw refused("parameters", `hold one that is none of ${Object.keys(HINTS).join(", ")}`);
    const value = parameterChoice?.value;
    const plain = typeof value === "bigint" ? Number(value) : value;
    const wanted = hint === "encoder" ? "string" : "number";
    if (typeof plain !== wanted) throw refused(`parameters.${name}`, `is no ${wanted === "string" ? "text" : wanted}`);
    return [hint, plain];
  });
  return Object.fromEntries(entries) as ImportHints;
}

function refused(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}
