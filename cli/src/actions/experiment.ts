import { writeFile } from "node:fs/promises";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { checkBases } from "../experiment/check-bases.ts";
import { assertSitesWhole } from "../experiment/divided-sites.ts";
import { exampleExperiment } from "../experiment/example-experiment.ts";
import { foldsOfTable } from "../experiment/folds-of-table.ts";
import { loadExperiment } from "../experiment/load-experiment.ts";
import { placed } from "../experiment/placed.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** `experiment init NAME`: writes a commented experiment, never over a file that is there. */
export async function initExperiment({ output }: CommandContext, name: string): Promise<ExitCode> {
  const file = `${name}.yaml`;
  try {
    await writeFile(file, exampleExperiment(name), { flag: "wx" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(code === "EEXIST" ? `there is a ${file} already` : `${file} cannot be written (${code})`);
  }
  output.record({ file });
  output.line(file);
  return EXIT_CODES.ok;
}

/** `experiment check FILE [name=value…]`: what is wrong with it, without starting anything; what only a gateway knows, if one runs. */
export async function checkExperiment(
  context: CommandContext,
  file: string,
  overrides: readonly string[],
): Promise<ExitCode> {
  const { output } = context;
  const loaded = await loadExperiment(file, overrides);
  const { experiment, variants, rows = [] } = loaded;
  await placed(loaded, async () => assertSitesWhole(rows));
  const unchecked = await checkBases(context, loaded);
  if (unchecked !== undefined) output.note(`${file}: not checked: ${unchecked}`);
  const { name, seeds, repeats } = experiment;
  const folds = foldsOfTable(rows) ?? experiment.folds;
  const named = variants.length === 0 ? {} : { variants: variants.map((variant) => variant.name) };
  output.record({ file, name, seeds: [...seeds], folds, repeats, ...named });
  const compared = variants.length === 0 ? "" : `; ${plural(variants.length, "variant")} to compare`;
  output.line(
    `${file}: ${plural(seeds.length, "training")} of ${name}, or ${plural(folds * repeats, "fold")}${compared}`,
  );
  return EXIT_CODES.ok;
}

/** `experiment schema`: the JSON Schema of experiment files, for editors. */
export async function showExperimentSchema({ output }: CommandContext): Promise<ExitCode> {
  const { experimentJsonSchema } = await import("../experiment/experiment-schema.ts");
  const schema = experimentJsonSchema();
  output.record(schema);
  output.line(JSON.stringify(schema, null, 2));
  return EXIT_CODES.ok;
}
