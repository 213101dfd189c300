import { encodeSafetensors, float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Typicality } from "./typicality.ts";

/** The name of the file in a package. */
export const TYPICALITY_PATH = "typicality.safetensors";

const NAMES = ["centers", "variances", "floors", "distances"] as const;

/** What training bags are like, as a safetensors file. */
export function encodeTypicality(typicality: Typicality): Uint8Array {
  const tensors = NAMES.map((name) => {
    const data = typicality[name];
    return [name, { dtype: "F32" as const, shape: [data.length], data }] as const;
  });
  return encodeSafetensors(new Map(tensors));
}

/** The reverse of {@link encodeTypicality}. @throws {DomainError} `CORRUPT` when a tensor is missing or of another size. */
export function parseTypicality(bytes: Uint8Array): Typicality {
  const { tensors } = parseSafetensors(bytes);
  const read = (name: (typeof NAMES)[number]): Float32Array<ArrayBuffer> => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new DomainError("CORRUPT", `the typicality file of the model has no ${name}`);
    return Float32Array.from(float32FromTensor(tensor));
  };
  const typicality = {
    centers: read("centers"),
    variances: read("variances"),
    floors: read("floors"),
    distances: read("distances"),
  };
  const { centers, variances, floors, distances } = typicality;
  const areFit = centers.length === 2 * floors.length && variances.length === centers.length && distances.length > 0;
  if (areFit) return typicality;
  throw new DomainError("CORRUPT", `the typicality file has ${centers.length} centers for ${floors.length} features`);
}
