import { commonV1 } from "@parfocal/protocol";
import { findPreset } from "../client/presets.ts";
import { settingsOf } from "../cohort/spec-settings.ts";
import { EXIT_CODES, type ExitCode } from "../exit-codes.ts";
import type { CommandContext } from "../run-command.ts";

/** `presets`: the names and where the values come from. */
export async function listPresets({ output, signal, connect }: CommandContext): Promise<ExitCode> {
  const { clients } = await connect();
  const { presets } = await clients.training.listPresets({}, { signal });
  for (const { name, description } of presets) output.record({ preset: name, description });
  output.table(
    [{ title: "preset" }, { title: "from" }],
    presets.map(({ name, description }) => [name, description]),
  );
  return EXIT_CODES.ok;
}

/** `presets NAME`: every value under the name that `train --set` takes. */
export async function showPreset({ output, signal, connect }: CommandContext, name: string): Promise<ExitCode> {
  const { clients } = await connect();
  const { description, spec } = await findPreset(clients, name, signal);
  const values = settingsOf(spec ?? commonV1.TrainingSpec.fromPartial({})).filter(([path]) => !isCallers(path));
  output.record({ preset: name, description, values: Object.fromEntries(values) });
  output.line(description);
  output.line();
  output.table(
    [{ title: "value" }, { title: name }],
    values.map(([path, value]) => [path, value]),
  );
  return EXIT_CODES.ok;
}

/** A preset leaves the seed to the caller. */
function isCallers(path: string): boolean {
  return path === "recipe.seed";
}
