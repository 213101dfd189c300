import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { readsRegions } from "./region-bags.ts";

/** What a training may have otherwise than the mixer that it starts from, by the names of the contract. */
const FREE_FIELDS: readonly string[] = ["output", "dropout", "dropPath"];

/**
 * The specification with the region mixer of a published model as its re-embedder: training starts from equal
 * configurations only, so nobody should have to repeat one. What the specification says itself stays, also where the service
 * will refuse it; of a preset's mixer what a training may choose. Anything but a region mixer leaves it as it is.
 */
export function startedFrom(
  spec: commonV1.TrainingSpec,
  { configJson }: Pick<gatewayV1.Model, "configJson">,
  { isPreset = false }: { readonly isPreset?: boolean } = {},
): commonV1.TrainingSpec {
  const { reembed } = (configJson === "" ? {} : JSON.parse(configJson)) as { reembed?: Record<string, unknown> };
  const wanted = spec.architecture?.reembedder?.kind;
  if (reembed?.kind !== "region-mixer" || (wanted !== undefined && wanted.$case !== "regionMixer")) return spec;
  const { kind: _, output: __, ...same } = reembed;
  // Default values are left out of JSON, so that only what somebody said wins.
  const said = wanted === undefined ? {} : (commonV1.RegionMixer.toJSON(wanted.value) as object);
  const kept = Object.entries(said).filter(([name]) => !isPreset || FREE_FIELDS.includes(name));
  const value = commonV1.RegionMixer.fromJSON({ ...same, ...Object.fromEntries(kept) });
  const architecture = commonV1.Architecture.fromPartial(spec.architecture ?? {});
  return { ...spec, architecture: { ...architecture, reembedder: { kind: { $case: "regionMixer", value } } } };
}

/**
 * The specification with the number of magnifications that the bags have, where it looks at magnifications and does not say
 * how many there are.
 */
export function withLevelsOf(spec: commonV1.TrainingSpec, bags: readonly gatewayV1.Bag[]): commonV1.TrainingSpec {
  const levelCount = bags.find(({ info }) => info?.levelCount !== undefined)?.info?.levelCount;
  const kind = spec.architecture?.reembedder?.kind;
  if (!readsRegions(kind?.$case) || levelCount === undefined) return spec;
  const { architecture, ...rest } = commonV1.TrainingSpec.fromPartial(spec);
  const found = architecture?.reembedder?.kind;
  if (found?.$case === "regionMixer" || found?.$case === "levels") found.value.levelCount ??= levelCount;
  return { ...rest, architecture };
}
