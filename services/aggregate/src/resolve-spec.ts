import { type ConfigObject, modelConfigJson, parseModelConfig } from "@parfocal/models";
import type { commonV1 } from "@parfocal/protocol";
import { assertGroupsFit, assertRecipeFits, parseTrainSpec, trainSpecJson } from "@parfocal/training";
import { trainSpecFromWire } from "./spec-from-wire.ts";

/** Bags decide how many features a tile has; no default depends on it. */
const ANY_WIDTH = 1;

/**
 * A training specification as training reads it, with every default written out: the JSON of manifests, without `model.dIn`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` as a training of it would, for values that its task or head does not take too; `details.field`
 * names the value (`head.attentionWidth`).
 */
export function resolveTrainingSpec(spec: commonV1.TrainingSpec): ConfigObject {
  const parsed = parseTrainSpec(trainSpecFromWire(spec));
  const config = parseModelConfig({ dIn: ANY_WIDTH, ...parsed.model });
  assertRecipeFits(parsed, config.task);
  // Which bags are a group, and by what label, is the data's to say.
  if (parsed.groups !== undefined) assertGroupsFit(config.task, parsed.groups, [], []);
  const { dIn: _, ...model } = modelConfigJson(config);
  return { ...trainSpecJson(parsed), model };
}
