import { commonV1, type MessageField } from "@parfocal/protocol";
import { type MutableJson, readAt, writeAt } from "../cohort/json-paths.ts";
import { enumWords, type SpecPath, specPaths, taskPaths } from "../cohort/spec-paths.ts";
import { contractWord, resolvedNameOf, resolvedValue } from "./resolved-names.ts";

/** Reads a specification as the service does, with every default: the JSON of manifests. */
export type ResolveSpec = (spec: commonV1.TrainingSpec) => object;

/**
 * A specification with the service's default for every value that it leaves open. It trains what the one without trains: what the
 * service calls otherwise than the contract does, and is not known here, stays open.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a specification that the service would refuse.
 */
export function fillDefaults(spec: commonV1.TrainingSpec, resolve: ResolveSpec): commonV1.TrainingSpec {
  const resolved = resolve(spec);
  const given = commonV1.TrainingSpec.toJSON(spec) as MutableJson;
  const json = structuredClone(given);
  const head = spec.architecture?.head?.kind?.$case;
  for (const path of [...specPaths(spec), ...taskPaths()]) {
    if (isGiven(given, path)) continue;
    const value = wireValue(path.field, resolvedValue(resolved, resolvedNameOf(path.path, head)));
    if (value !== undefined) writeAt(json, path.keys, value);
  }
  return commonV1.TrainingSpec.fromJSON(json);
}

/** Zeros that cannot be absent are left out of JSON: those of numbers are given, a word for none is not. */
function isGiven(json: MutableJson, { keys, field }: SpecPath): boolean {
  if (field.value.kind === "message" || readAt(json, keys) !== undefined) return true;
  const hasGroup = readAt(json, keys.slice(0, -1)) !== undefined;
  return hasGroup && !field.canBeAbsent && !field.isList && field.value.kind !== "enum";
}

function wireValue({ value, isList }: MessageField, found: unknown): unknown {
  if (found === undefined || found === null || isList !== Array.isArray(found)) return undefined;
  if (value.kind !== "enum") return found;
  return typeof found === "string" ? enumWords(value.names).get(contractWord(found)) : undefined;
}
