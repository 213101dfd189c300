import { DomainError } from "@parfocal/errors";
import { isResourceId, resourceName } from "@parfocal/protocol";
import type { ModelSelector } from "../catalog/model-catalog.ts";
import { parseModelName } from "../catalog/model-name.ts";

/** A model as the Open Inference Protocol names it. */
export interface InferenceModel {
  readonly project: string;
  readonly model: string;
  readonly selector: ModelSelector;
}

/**
 * The model that a name and a version of the protocol mean. The name is a model, version or alias as everywhere here
 * (`projects/{p}/models/{m}…`), or its bare id, which stands for a model of `defaultProject`. The version is a version's id; empty
 * means the alias `production` where it is set, else the newest.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field, also when name and version both choose a version.
 */
export function parseInferenceModel(
  name: string,
  version: string,
  defaultProject: string,
  field: "name" | "model_name",
): InferenceModel {
  const isBare = isResourceId(name);
  const full = isBare ? resourceName("model", { project: defaultProject, model: name }) : name;
  const { project, model, selector } = parseModelName(full, field);
  if (version === "") return { project, model, selector };
  const versionField = field === "name" ? "version" : "model_version";
  if (selector.kind !== "default")
    throw refused(versionField, `is given, though ${field} names a version or alias already`);
  if (!isResourceId(version)) throw refused(versionField, `of ${version.length} characters is no version's id`);
  return { project, model, selector: { kind: "version", version } };
}

function refused(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}
