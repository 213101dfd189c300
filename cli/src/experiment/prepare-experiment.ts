import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { findFiles } from "../client/find-files.ts";
import { importFiles } from "../client/import-files.ts";
import { matchLabels } from "../client/labelled-bags.ts";
import { patientOf } from "../cohort/assign-parts.ts";
import { assertNoFoldParts, type FixedFolds, fixedFoldsOf } from "../cohort/fixed-folds.ts";
import type { MatchedRow } from "../cohort/match-bags.ts";
import { readsRegions } from "../cohort/region-bags.ts";
import { shareGroupLabels } from "../cohort/share-group-labels.ts";
import { withLevelsOf } from "../cohort/start-model.ts";
import type { Output } from "../output/output.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";
import { about, SettingError } from "../setting-error.ts";
import { assertSitesWhole, type SiteRow } from "./divided-sites.ts";
import type { Experiment } from "./experiment.ts";
import { fillDefaults } from "./fill-defaults.ts";
import { foldConflicts } from "./fold-conflicts.ts";
import { given } from "./given.ts";
import type { RunnableExperiment } from "./load-experiment.ts";
import { lookUpBase } from "./look-up-base.ts";
import { tableWishOf } from "./look-up-data.ts";
import { asPlaced, placed } from "./placed.ts";
import { experimentDigest, resolveExperiment } from "./resolve-experiment.ts";
import { specFromExperiment, taskFromExperiment } from "./spec-from-experiment.ts";

/** An experiment with its data, ready to train. */
export interface PreparedExperiment {
  /** With every value that it runs by. */
  readonly experiment: Experiment;
  readonly matched: readonly MatchedRow[];
  readonly task: commonV1.Task;
  /** By its version; absent: from fresh weights. */
  readonly start?: gatewayV1.Model;
  /** SHA-256 of what is done, see `experimentDigest`. */
  readonly configSha256: string;
  /** SHA-256 of bags, labels and parts. */
  readonly dataSha256: string;
  /** Folds that the tables give; absent: they are drawn. */
  readonly fixedFolds?: FixedFolds;
  /** With its task and every default. */
  specFor(seed: bigint): commonV1.TrainingSpec;
}

/** Settings of {@link prepareExperiment}. */
interface PrepareOptions {
  /** The files were imported before. */
  readonly isImported?: boolean;
  /** It is cross-validated, by the folds of its tables where they give any. */
  readonly hasFolds?: boolean;
}

/**
 * Imports the experiment's files, matches its labels with bags and fills in what presets, models to start from, labels and the service
 * say. What is looked up and not there is told before anything is imported.
 *
 * @throws {ExperimentError} for what the file names and is not there, with its place; without a file a `UsageError`.
 * @throws {DomainError} `PRECONDITION_FAILED` when a file cannot be imported, `NOT_FOUND` for labels without bags, or a value refused.
 */
export function prepareExperiment(
  context: CommandContext,
  clients: GatewayClients,
  runnable: RunnableExperiment,
  options: PrepareOptions = {},
): Promise<PreparedExperiment> {
  return placed(runnable, () => prepare(context, clients, runnable, options));
}

async function prepare(
  context: CommandContext,
  clients: GatewayClients,
  runnable: RunnableExperiment,
  { isImported = false, hasFolds = false }: PrepareOptions,
): Promise<PreparedExperiment> {
  const { experiment, resolve, specOf, taskOf = (task) => task } = runnable;
  const { parent, signal } = context;
  if (hasFolds) assertSitesWhole(runnable.rows ?? []);
  const { spec: base, start, problems } = await lookUpBase({ clients, parent, signal }, experiment);
  const [problem, ...more] = problems;
  if (problem !== undefined) throw asPlaced(runnable, [problem, ...more]);
  if (!isImported) await importData(context, clients, experiment.data.files);
  const { data } = experiment;
  const open = (seed: bigint) => (specOf ?? ((of) => specFromExperiment(experiment, of, base)))(seed, base);
  const wantsRegions = readsRegions(open(0n).architecture?.reembedder?.kind?.$case);
  const labels = { ...tableWishOf(experiment), labels: data.labels, wantsRegions };
  const matched = shareGroupLabels(await matchLabels(context, clients, labels), open(0n).groups);
  if (!hasFolds) about({ setting: "splits" }, () => assertNoFoldParts(matched));
  else assertSitesWhole(sitesOf(matched, open(0n).groups !== undefined));
  const bags = matched.map(({ bag }) => bag);
  const rows = matched.map(({ row }) => row);
  const task = about({ setting: experiment.task ? "task" : "labels" }, () =>
    taskOf(taskFromExperiment(experiment, rows)),
  );
  const specFor = (seed: bigint) => fillDefaults({ ...withLevelsOf(open(seed), bags), task }, resolve);
  const spec = specFor(experiment.seeds[0] ?? 0n);
  const givesFolds = data.foldColumn === undefined ? "splits" : "foldColumn";
  const fixedFolds = hasFolds
    ? about({ setting: givesFolds }, () => fixedFoldsOf(matched, spec.groups !== undefined))
    : undefined;
  if (fixedFolds !== undefined) tellFolds(context.output, experiment, fixedFolds);
  const resolved = resolveExperiment(experiment, {
    spec,
    ...(start && { startFrom: start.name }),
    ...(fixedFolds && { nFolds: fixedFolds.count }),
  });
  return {
    experiment: resolved,
    matched,
    task,
    ...(start && { start }),
    ...(fixedFolds && { fixedFolds }),
    configSha256: experimentDigest(resolved, spec),
    dataSha256: dataDigest(matched),
    specFor,
  };
}

/** Bags know patients that the table does not name. */
function sitesOf(matched: readonly MatchedRow[], hasGroups: boolean): SiteRow[] {
  return matched.map((row) => {
    const { line, site } = row.row;
    return { line, ...given({ site }), patient: patientOf(row, hasGroups) };
  });
}

/** What the file could not tell of a table of folds is told here. @throws {SettingError} for folds that are also to be drawn. */
function tellFolds(output: Output, experiment: Experiment, { count, notes }: FixedFolds): void {
  const [conflict] = foldConflicts(experiment, "the tables");
  if (conflict !== undefined)
    throw new SettingError({ setting: conflict.setting }, `${String(conflict.path.at(-1))} ${conflict.message}`);
  for (const note of [`${plural(count, "fold")} as the tables give them`, ...notes]) output.note(note);
}

async function importData(
  { output, parent, signal }: CommandContext,
  clients: GatewayClients,
  paths: readonly string[],
): Promise<void> {
  if (paths.length === 0) return;
  const files = await findFiles(paths);
  const progress = output.progress("importing");
  const onFile = (_: unknown, nDone: number) =>
    progress.update({ fraction: nDone / files.length, text: `${nDone} of ${plural(files.length, "file")}` });
  const outcomes = (await importFiles(clients, files, { parent, signal, onFile })).flat();
  progress.end();
  const failed = outcomes.filter((outcome) => outcome.kind === "error");
  for (const { path, code, message } of failed) output.note(`failed: ${path}: ${code}: ${message}`);
  if (failed.length === 0) return;
  const message = `${failed.length} of ${plural(files.length, "file")} cannot be imported; nothing was trained`;
  throw new DomainError("PRECONDITION_FAILED", message);
}

/** Says whether two runs saw the same data, without a name in it. */
function dataDigest(matched: readonly MatchedRow[]): string {
  const lines = matched.map(({ row: { line: _, slide: __, ...said }, bag }) =>
    JSON.stringify([bag.name.slice(bag.name.lastIndexOf("/") + 1), Object.entries(said).sort()]),
  );
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}
