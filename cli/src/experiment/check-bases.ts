import { isDomainError } from "@parfocal/errors";
import type { CommandContext } from "../run-command.ts";
import type { LoadedExperiment, RunnableExperiment } from "./load-experiment.ts";
import { lookUpBase, type Served } from "./look-up-base.ts";
import { ExperimentError, type Problem } from "./problem.ts";

type Checked = Pick<RunnableExperiment, "experiment" | "locate">;

/**
 * Looks up the presets and models that an experiment and its variants name, if a gateway runs.
 *
 * @returns what could not be looked up and why, in one line; undefined: everything was, or there is nothing to look up.
 * @throws {ExperimentError} with every name of nothing and its place.
 */
export async function checkBases(
  { connectRunning, parent, signal }: Pick<CommandContext, "connectRunning" | "parent" | "signal">,
  { file = "", variants, ...loaded }: LoadedExperiment,
): Promise<string | undefined> {
  const all: readonly Checked[] = [loaded, ...variants];
  const names = namesOf(all);
  if (names.length === 0) return undefined;
  const running = await connectRunning();
  if (running === undefined) return `${names.join(", ")} (no gateway runs)`;
  try {
    const problems = await problemsOf({ clients: running.clients, parent, signal }, all);
    if (problems.length > 0) throw new ExperimentError(file, problems);
    return undefined;
  } catch (error) {
    if (signal.aborted || !isDomainError(error)) throw error;
    return `${names.join(", ")} (${error.code}: ${error.message})`;
  }
}

/** The values that only a gateway knows, each once: `model.preset "r2t"`. */
function namesOf(all: readonly Checked[]): string[] {
  const names = all.flatMap(({ experiment: { preset, startFrom } }) => [
    ...(preset === undefined ? [] : [`model.preset "${preset}"`]),
    ...(startFrom === undefined ? [] : [`model.start_from "${startFrom}"`]),
  ]);
  return [...new Set(names)];
}

/** A variant that has the experiment's own value has the experiment's problem. */
async function problemsOf(served: Served, all: readonly Checked[]): Promise<Problem[]> {
  const found = await Promise.all(
    all.map(async ({ experiment, locate }) => locate?.((await lookUpBase(served, experiment)).problems) ?? []),
  );
  const byText = new Map(found.flat().map((problem) => [JSON.stringify(problem), problem]));
  return [...byText.values()];
}
