import { type ConfigObject, createConfigReader } from "@parfocal/models";
import type { TakenSetting } from "./layout.ts";

/** The checkpoint that a model was made of. */
export interface CheckpointSource {
  /** Name of the layout it was read as. */
  readonly layout: string;
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
  /** What shapes could not tell, by name. */
  readonly settings: readonly TakenSetting[];
}

/** The source as a manifest keeps it, in place of a training's specification. */
export function checkpointSourceJson({ layout, digest, settings }: CheckpointSource): ConfigObject {
  const values = Object.fromEntries(settings.map(({ name, value }) => [name, value]));
  const defaults = settings.filter(({ isDefault }) => isDefault).map(({ name }) => name);
  return { imported: { layout, settings: values, defaults, checkpoint: digest } };
}

/**
 * The source in a manifest's specification; nothing for a model that was trained here.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when a field is missing or of another type.
 */
export function checkpointSourceOf(spec: ConfigObject): CheckpointSource | undefined {
  const imported = createConfigReader(spec, "spec").optionalObject("imported");
  if (imported === undefined) return undefined;
  const reader = createConfigReader(imported, "spec.imported");
  const defaults = new Set(Array.isArray(imported.defaults) ? imported.defaults : []);
  const settings = Object.entries(reader.object("settings"))
    .map(([name, value]) => ({ name, value: String(value), isDefault: defaults.has(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { layout: String(reader.scalar("layout")), digest: String(reader.scalar("checkpoint")), settings };
}
