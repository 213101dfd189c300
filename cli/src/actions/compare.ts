import { findModel } from "../client/find-model.ts";
import { labelledBag, matchLabels } from "../client/labelled-bags.ts";
import { taskNameOf } from "../cohort/infer-task.ts";
import type { LabelPart } from "../cohort/parse-splits.ts";
import { readsRegions } from "../cohort/region-bags.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { showComparison } from "../output/comparison-table.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `compare`. */
export interface CompareCommandOptions {
  /** Path, or `from-bags`. */
  readonly labels?: string;
  readonly labelColumn?: string;
  readonly part?: LabelPart;
  readonly metric?: string;
}

/** `parfocal compare MODEL MODEL… --labels L`. */
export async function runCompare(
  context: CommandContext,
  names: readonly string[],
  options: CompareCommandOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if (names.length < 2) throw new UsageError("a comparison takes two models or more, or an experiment by -f");
  const { labels } = options;
  if (labels === undefined) throw new UsageError("give --labels: models are compared on labelled bags");
  const { clients } = await context.connect();
  const models = await Promise.all(names.map((name) => findModel(clients, parent, name, signal)));
  const wantsRegions = models.some(({ reembedder }) => readsRegions(reembedder));
  const task = models[0]?.task;
  const kind = taskNameOf(task?.kind);
  const matched = await matchLabels(context, clients, {
    ...{ ...options, labels, wantsRegions },
    ...(kind && { kind }),
    ...(task && { classes: task.classes }),
  });
  const rows = matched.filter(({ row }) => options.part === undefined || row.part === options.part);
  if (rows.length === 0) throw new UsageError(`no row of ${labels} has the part ${options.part}`);
  const answer = await clients.models.compareModels(
    {
      // By their versions: an alias may move meanwhile.
      names: models.map(({ name }) => name),
      bags: [],
      labelledBags: rows.map((row) => labelledBag(row, { hasGroups: true })),
    },
    { signal },
  );
  showComparison(output, names, answer, options.metric);
  return EXIT_CODES.ok;
}
