import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { compareVariants } from "../experiment/compare-variants.ts";
import type { CrossValidation } from "../experiment/cross-validate.ts";
import { type LoadedExperiment, loadExperiment } from "../experiment/load-experiment.ts";
import { type PreparedExperiment, prepareExperiment } from "../experiment/prepare-experiment.ts";
import { writeResolved } from "../experiment/write-results.ts";
import { comparisonRecords, methodOf, showComparison } from "../output/comparison-table.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { writeFiles } from "../output/write-files.ts";
import { type ComparedDraw, renderComparison } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";
import { runSeed } from "./cross-validate.ts";
import { announce } from "./train.ts";

/** `parfocal compare -f FILE`: cross-validates every variant by the same folds and seeds, and tests every pair. */
export async function runCompareExperiment(
  context: CommandContext,
  file: string,
  overrides: readonly string[],
  { metric }: { readonly metric?: string },
): Promise<ExitCode> {
  const loaded = await loadExperiment(file, overrides);
  if (loaded.variants.length < 2)
    throw new UsageError(`${file} names no variants; a comparison takes two or more under 'variants:'`);
  for (const { experiment } of [loaded, ...loaded.variants]) await assertFolderPlace("output", experiment.output);
  const { clients } = await context.connect();
  const prepared = await prepareAll(context, clients, loaded);
  const [first] = prepared;
  if (first === undefined) return EXIT_CODES.failed;
  announce(context.output, first.task, first.matched.length);
  const names = loaded.variants.map(({ name }) => name);
  const draws: ComparedDraw[] = [];
  for (const seed of loaded.experiment.seeds) {
    const validations: CrossValidation[] = [];
    for (const [v, each] of prepared.entries()) {
      context.output.note(`variant ${names[v] ?? ""}, seed ${seed}`);
      validations.push(await crossValidated(context, clients, each, seed));
    }
    draws.push(...drawsOf(first, names, seed, validations));
  }
  for (const each of prepared) await writeResolved(each, []);
  await finish(context, loaded, { names, draws, metric });
  return EXIT_CODES.ok;
}

/** The data are imported once: they are the same for all. */
async function prepareAll(
  context: CommandContext,
  clients: GatewayClients,
  { variants }: LoadedExperiment,
): Promise<PreparedExperiment[]> {
  const prepared: PreparedExperiment[] = [];
  for (const [v, variant] of variants.entries())
    prepared.push(await prepareExperiment(context, clients, variant, { isImported: v > 0, hasFolds: true }));
  return prepared;
}

function crossValidated(
  context: CommandContext,
  clients: GatewayClients,
  prepared: PreparedExperiment,
  seed: bigint,
): Promise<CrossValidation> {
  const { seeds, output } = prepared.experiment;
  const folder = seeds.length === 1 ? output : join(output, `seed-${seed}`);
  return runSeed(context, clients, prepared, { seed, folder, requestId: randomUUID(), isKept: false });
}

/** One comparison for each time that folds were drawn. */
function drawsOf(
  { task, experiment }: PreparedExperiment,
  names: readonly string[],
  seed: bigint,
  validations: readonly CrossValidation[],
): ComparedDraw[] {
  return Array.from({ length: experiment.repeats }, (_, repeat) => ({
    name: `seed ${seed}${experiment.repeats === 1 ? "" : `, repeat ${repeat + 1}`}`,
    answer: gatewayV1.CompareModelsResponse.fromPartial({
      names: [...names],
      evaluations: validations.flatMap(({ response }) => response.pooled[repeat] ?? []),
      comparisons: compareVariants(
        task,
        validations.map(({ repeats }) => repeats[repeat] ?? []),
      ),
    }),
  }));
}

async function finish(
  { output }: CommandContext,
  { experiment }: LoadedExperiment,
  {
    names,
    draws,
    metric,
  }: {
    readonly names: readonly string[];
    readonly draws: readonly ComparedDraw[];
    readonly metric: string | undefined;
  },
): Promise<void> {
  const [shown, ...others] = draws;
  if (shown === undefined) return;
  await mkdir(experiment.output, { recursive: true });
  const [report, json] = [join(experiment.output, "comparison.html"), join(experiment.output, "comparison.json")];
  const generatedAt = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const all = draws.map(({ name, answer }) => ({ draw: name, ...comparisonRecords(answer) }));
  const page = renderComparison({ experiment: experiment.name, names, draws, generatedAt, methodOf });
  await writeFiles([
    { path: report, content: page },
    { path: json, content: `${JSON.stringify(all, null, 2)}\n` },
  ]);
  showComparison(output, names, shown.answer, metric);
  if (others.length > 0) output.line(`of ${shown.name}; ${others.length} further draws of folds are in the report`);
  output.record({ report, json });
  output.line();
  output.line(`report       ${report}`);
}
