import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { DEFAULT_SEED } from "../default-seed.ts";
import { UsageError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";

/**
 * The gateway's named recipe.
 *
 * @throws {UsageError} for a name that it has not, with those that it has.
 */
export async function findPreset(
  { training }: Pick<GatewayClients, "training">,
  name: string,
  signal: AbortSignal,
): Promise<gatewayV1.Preset> {
  const { presets } = await training.listPresets({}, { signal });
  const found = presets.find((preset) => preset.name === name);
  if (found !== undefined) return found;
  throw new UsageError(`there is no preset ${name}; there are ${presets.map((preset) => preset.name).join(", ")}`);
}

/** The specification of a named recipe, with the seed that a training has unless told. */
export async function presetSpec(
  clients: Pick<GatewayClients, "training">,
  name: string,
  signal: AbortSignal,
): Promise<commonV1.TrainingSpec> {
  const { spec } = await findPreset(clients, name, signal);
  const { recipe, ...rest } = spec ?? commonV1.TrainingSpec.fromPartial({});
  return { ...rest, recipe: { ...commonV1.Recipe.fromPartial(recipe ?? {}), seed: DEFAULT_SEED } };
}
