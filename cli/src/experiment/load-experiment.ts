import { readFile } from "node:fs/promises";
import { UsageError } from "../exit-codes.ts";
import { checkValues } from "./check-values.ts";
import type { ResolveSpec } from "./fill-defaults.ts";
import { type ParsedExperiment, parseExperiment } from "./parse-experiment.ts";

/** An experiment that may run, and the reader that knows its defaults. */
export interface LoadedExperiment extends ParsedExperiment {
  readonly resolve: ResolveSpec;
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
  return { ...parsed, resolve };
}
