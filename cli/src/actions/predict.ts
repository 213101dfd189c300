import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { ENSEMBLE } from "@parfocal/service-gateway/ensemble";
import { attentionMapsOf, writeMeaning } from "../client/attention-files.ts";
import { chosenBags } from "../client/chosen-bags.ts";
import { assertModelChoice, chosenModels, isEnsembleChosen } from "../client/chosen-models.ts";
import type { GatewayClients } from "../client/clients.ts";
import { createDrawer } from "../client/draw-attention.ts";
import { type BagOutcome, predictBags } from "../client/predict-bags.ts";
import { assertThumbnailOptions, type ThumbnailOptions } from "../client/thumbnails.ts";
import { type DecidedUnit, decidedUnits, type Together } from "../cohort/decided-units.ts";
import { taskNameOf } from "../cohort/infer-task.ts";
import { slideOf } from "../cohort/prediction-view.ts";
import { readLabels } from "../cohort/read-labels.ts";
import { readsRegions } from "../cohort/region-bags.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { rowOfSlides, ruleLines, unitRecord } from "../output/decided-together.ts";
import { assertFilePlace, assertFolderPlace } from "../output/output-places.ts";
import { showPredictions } from "../output/prediction-table.ts";
import { plural } from "../output/units.ts";
import { writeFiles } from "../output/write-files.ts";
import { encodePredictionsCsv, encodePredictionsParquet, type PredictionRow } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";
import { showMetrics } from "./predict-metrics.ts";
import { recordOf, rowOf, type Truths } from "./predict-rows.ts";
import { predictTogether, showTogether } from "./predict-together.ts";

/** Options of `predict`. */
export interface PredictCommandOptions extends ThumbnailOptions {
  readonly model?: readonly string[];
  readonly crossval?: string;
  readonly ensemble?: boolean;
  readonly all?: boolean;
  readonly together?: Exclude<Together, "none">;
  readonly labels?: string;
  readonly labelColumn?: string;
  readonly timeColumn?: string;
  readonly eventColumn?: string;
  readonly clinical?: string;
  readonly csv?: string;
  readonly parquet?: string;
  readonly heatmaps?: string;
  readonly geojson?: string;
  readonly overlayAlpha?: number;
  readonly topTiles?: number;
}

/** `parfocal predict --model M BAG…`, with further models and what they say together. */
export async function runPredict(
  context: CommandContext,
  names: readonly string[],
  options: PredictCommandOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if ((names.length === 0) === (options.all !== true)) throw new UsageError("name bags, or give --all");
  assertThumbnailOptions(options);
  if (options.thumbnail !== undefined && options.heatmaps === undefined)
    throw new UsageError("--thumbnail is drawn on by --heatmaps; give its folder");
  const { together = "none" } = options;
  if (together !== "none" && (options.heatmaps !== undefined || options.geojson !== undefined))
    throw new UsageError("maps are of one slide; --together decides several");
  const { model: named, crossval, ensemble } = options;
  const choice = { models: named, crossval, ensemble };
  assertModelChoice(choice, "--model");
  await assertPlaces(options);
  const { clients } = await context.connect();
  const areAlike = options.labels !== undefined;
  const models = await chosenModels(clients, parent, choice, { areAlike, signal });
  const [model] = models;
  if (model === undefined) throw new UsageError("name a model");
  assertAlikeBags(models, options);
  const { bags, nMissing } = await chosenBags(context, clients, names, readsRegions(model.reembedder));
  const truths = await truthsOf(context, bags, model, options);
  // Without one of its slides a patient is another patient.
  if (together !== "none" && nMissing > 0) return EXIT_CODES.failed;
  const units = decidedUnits(bags, together, truths);
  const known = truthsOfUnits(units, truths);
  const slidesOf = (at: number) => (units[at] ?? []).map(slideOf);
  const all: { readonly rows: readonly PredictionRow[]; readonly outcomes: readonly BagOutcome[] }[] = [];
  let isWhole = nMissing === 0;
  for (const each of models) {
    const { outcomes, isDrawn } = await predictAll(context, clients, each, units, options);
    isWhole &&= isDrawn && outcomes.every(({ kind }) => kind === "prediction");
    all.push({ outcomes, rows: outcomes.map((outcome, i) => rowOfSlides(rowOf(outcome, each, known), slidesOf(i))) });
    if (models.length > 1) output.line(`model ${each.name}`);
    const speaker = models.length > 1 ? each.name : undefined;
    showPredictions(output, all.at(-1)?.rows ?? [], speaker);
    for (const line of ruleLines(outcomes)) output.note(line);
    if (areAlike) showMetrics(context, each, outcomes, known, speaker);
  }
  const rows = all.flatMap((each) => each.rows);
  if (isEnsembleChosen(choice)) {
    const together = predictTogether(
      taskOf(model),
      all.map(({ outcomes }) => outcomes),
    );
    isWhole &&= together.every(({ kind }) => kind === "prediction");
    const shown = showTogether(context, model, together, { known, slidesOf });
    if (areAlike) showMetrics(context, model, shown.outcomes, known, ENSEMBLE);
    rows.push(...shown.rows);
  }
  await writeTables(context, rows, options);
  return isWhole ? EXIT_CODES.ok : EXIT_CODES.failed;
}

/** What several models can be asked at once. @throws {UsageError} for maps, and for models that read different bags. */
function assertAlikeBags(models: readonly gatewayV1.Model[], { heatmaps, geojson }: PredictCommandOptions): void {
  if (models.length > 1 && (heatmaps !== undefined || geojson !== undefined))
    throw new UsageError("maps are of one model; give them one by one");
  const nRegional = models.filter(({ reembedder }) => readsRegions(reembedder)).length;
  if (nRegional > 0 && nRegional < models.length)
    throw new UsageError(
      `${nRegional} of ${models.length} models read region bags, the others tiles; predict them apart`,
    );
}

function taskOf({ task }: gatewayV1.Model): commonV1.Task {
  return task ?? commonV1.Task.fromPartial({});
}

/** What is wrong with the places of the files is wrong before anything is scored. */
async function assertPlaces({ csv, parquet, heatmaps, geojson }: PredictCommandOptions): Promise<void> {
  if (csv !== undefined) await assertFilePlace("--csv", csv);
  if (parquet !== undefined) await assertFilePlace("--parquet", parquet);
  if (heatmaps !== undefined) await assertFolderPlace("--heatmaps", heatmaps);
  if (geojson !== undefined) await assertFolderPlace("--geojson", geojson);
}

async function writeTables(
  { output }: CommandContext,
  rows: readonly PredictionRow[],
  { csv, parquet }: PredictCommandOptions,
): Promise<void> {
  const tables = [
    ...(csv === undefined ? [] : [{ option: "--csv", path: csv, content: encodePredictionsCsv(rows) }]),
    ...(parquet === undefined ? [] : [{ option: "--parquet", path: parquet, content: encodePredictionsParquet(rows) }]),
  ];
  for (const table of tables) {
    await writeFiles([table]);
    output.note(`wrote ${plural(rows.length, "prediction")} to ${table.path}`);
  }
}

/** Labels by bag. Slides that are not predicted may be in the table too. */
async function truthsOf(
  { output }: CommandContext,
  bags: readonly gatewayV1.Bag[],
  model: gatewayV1.Model,
  { labels, ...wish }: PredictCommandOptions,
): Promise<Truths> {
  if (labels === undefined) return new Map();
  const { labelColumn, timeColumn, eventColumn, clinical } = wish;
  const kind = taskNameOf(model.task?.kind);
  const { matched } = await readLabels(labels, bags, {
    ...(labelColumn === undefined ? numbersOf(model.task) : { labelColumn }),
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(eventColumn === undefined ? {} : { eventColumn }),
    ...(clinical === undefined ? {} : { clinical }),
    ...(kind && { kind }),
    ...(model.task && { classes: model.task.classes }),
  });
  const nUnlabelled = bags.length - matched.length;
  if (nUnlabelled > 0) output.note(`${plural(nUnlabelled, "bag")} without a label: predicted, not evaluated`);
  return new Map(matched.map(({ row, bag }) => [bag.name, row]));
}

/** A regression's numbers are named after the columns that it learnt. */
function numbersOf(task: commonV1.Task | undefined): { readonly labelColumn?: string } {
  return task?.kind === commonV1.Task_Kind.KIND_REGRESSION ? { labelColumn: task.classes.join(",") } : {};
}

async function predictAll(
  { output, env, signal }: CommandContext,
  clients: GatewayClients,
  model: gatewayV1.Model,
  units: readonly DecidedUnit[],
  options: PredictCommandOptions,
): Promise<{ readonly outcomes: readonly BagOutcome[]; readonly isDrawn: boolean }> {
  const bags = units.map(([first]) => first);
  const others = new Map(units.map(([first, ...more]) => [first.name, more.map(({ name }) => name)]));
  const includeAttention = options.heatmaps !== undefined || options.geojson !== undefined;
  const drawer = includeAttention ? await createDrawer(options, bags.length) : undefined;
  const explain = explainerOf(model, options.heatmaps);
  const progress = output.progress("predicting");
  try {
    const outcomes = await predictBags(clients, bags, {
      model: model.name,
      includeAttention,
      signal,
      moreBagsOf: ({ name }) => others.get(name) ?? [],
      async onBag(outcome, nDone) {
        output.record(unitRecord(recordOf(outcome, model), outcome, others.get(outcome.bag.name) ?? []));
        progress.update({ fraction: nDone / bags.length, text: `${nDone} of ${bags.length}` });
        if (outcome.kind === "error") return;
        if (drawer === undefined) return;
        const { attention } = outcome.response;
        await explain(attention);
        const maps = attention && (await attentionMapsOf(outcome.bag, attention, env, signal));
        await drawer.draw(slideOf(outcome.bag), maps);
      },
    });
    return { outcomes, isDrawn: drawer?.hasFailed() !== true };
  } finally {
    progress.end();
    for (const remark of drawer?.remarks() ?? []) output.note(remark);
  }
}

/** Writes what maps in `folder` mean, once, when the first one tells it. */
function explainerOf(model: gatewayV1.Model, folder: string | undefined) {
  let isTold = false;
  return async (attention: gatewayV1.TileAttention | undefined): Promise<void> => {
    if (isTold || folder === undefined || attention === undefined) return;
    isTold = true;
    await writeMeaning(model, attention.meanings, folder);
  };
}

/** Labels by the first bag of each unit, which speaks for it. */
function truthsOfUnits(units: readonly DecidedUnit[], truths: Truths): Truths {
  return new Map(
    units.flatMap((unit) => {
      const [row] = unit.flatMap(({ name }) => truths.get(name) ?? []);
      return row === undefined ? [] : [[unit[0].name, row] as const];
    }),
  );
}
