import { readFile } from "node:fs/promises";
import type { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { checkValues } from "./check-values.ts";
import type { Experiment } from "./experiment.ts";
import type { ResolveSpec } from "./fill-defaults.ts";
import { parseExperiment } from "./parse-experiment.ts";
import { parseVariants } from "./parse-variants.ts";

/** An experiment that may run, and the reader that knows its defaults. */
export interface RunnableExperiment {
  readonly experiment: Experiment;
  readonly resolve: ResolveSpec;
  /** Makes the specification of a seed, without a task, of what presets say; absent: as the experiment's sections say. */
  readonly specOf?: (seed: bigint, base: commonV1.TrainingSpec | undefined) => commonV1.TrainingSpec;
}

/** An experiment of a file, with the variants of it that the file names. */
export interface LoadedExperiment extends RunnableExperiment {
  readonly variants: readonly (RunnableExperiment & { readonly name: string })[];
}

/**
 * Reads and checks an experiment file with overrides, before any service starts.
 *
 * @throws {ExperimentError} with everything that is wrong with it. @throws {UsageError} for a file that cannot be read.
 */
export async function loadExperiment(file: string, overrides: readonly string[]): Promise<LoadedExperiment> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`the experiment ${file} cannot be read (${cause.code})`);
  });
  const parsed = parseExperiment(text, file, overrides);
  // Behind it is the service's own reader, which takes a second to load.
  const { resolveTrainingSpec: resolve } = await import("@parfocal/service-aggregate/resolve-spec");
  checkValues(parsed, resolve);
  const variants = parseVariants(parsed, resolve).map(({ name, experiment }) => ({ name, experiment, resolve }));
  return { experiment: parsed.experiment, resolve, variants };
}
