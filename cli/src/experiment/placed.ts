import type { UsageError } from "../exit-codes.ts";
import { SettingError } from "../setting-error.ts";
import type { RunnableExperiment } from "./load-experiment.ts";
import { ExperimentError } from "./problem.ts";

/** Whether an experiment is of a file, and where that has its values. */
type Filed = { [Key in "file" | "locate"]?: RunnableExperiment[Key] | undefined };

/**
 * Does what looks up settings of an experiment.
 *
 * @throws {ExperimentError} in place of a `SettingError`, where the experiment is of a file.
 */
export async function placed<T>({ file, locate }: Filed, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof SettingError ? asPlaced({ file, locate }, [error]) : error;
  }
}

/** What is wrong with settings as one error: with their places where the experiment is of a file, else the first. */
export function asPlaced({ file, locate }: Filed, errors: readonly [SettingError, ...SettingError[]]): UsageError {
  if (file === undefined || locate === undefined) return errors[0];
  return new ExperimentError(file, locate(errors));
}
