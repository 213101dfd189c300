import { auroc } from "@parfocal/metrics";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { attentionMapsOf } from "../client/attention-files.ts";
import type { GatewayClients } from "../client/clients.ts";
import { type BagOutcome, predictBags } from "../client/predict-bags.ts";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { predictionRowOf, slideOf, viewPrediction } from "../cohort/prediction-view.ts";
import type { Progress } from "../output/progress.ts";
import { isPlaced, type PredictionRow, renderHeatmap, type ScoreMap } from "../report/index.ts";

/** A held-out slide with everything that came of it. */
export interface PredictedSlide {
  readonly slide: string;
  readonly assigned: AssignedRow;
  /** Absent when the prediction failed. */
  readonly prediction?: commonV1.Prediction;
  readonly row: PredictionRow;
  /** None when the bag has no coordinates. */
  readonly maps: readonly ScoreMap[];
  /** The first map, drawn; absent without one. */
  readonly heatmap?: Uint8Array;
  /** How well attention finds the planted lesion: AUROC of tile weights; absent without a lesion. */
  readonly lesionAuroc?: number;
}

/** What {@link predictHeldOut} works with. */
export interface PredictHeldOutOptions {
  readonly model: gatewayV1.Model;
  readonly rows: readonly AssignedRow[];
  readonly lesions: ReadonlyMap<string, Uint8Array>;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Predicts slides with their attention and draws it. */
export async function predictHeldOut(
  clients: GatewayClients,
  { model, rows, lesions, env, signal, progress }: PredictHeldOutOptions,
): Promise<PredictedSlide[]> {
  const maps = new Map<string, readonly ScoreMap[]>();
  const bags = rows.map(({ bag }) => bag);
  const outcomes = await predictBags(clients, bags, {
    model: model.name,
    includeAttention: true,
    signal,
    async onBag(outcome, nDone) {
      progress.update({ fraction: nDone / bags.length, text: `${nDone} of ${bags.length} slides` });
      if (outcome.kind === "error") return;
      maps.set(outcome.bag.name, await attentionMapsOf(outcome.bag, outcome.response.attention, env, signal));
    },
  });
  progress.end();
  return outcomes.map((outcome, i) =>
    slideFrom(outcome, rows[i] as AssignedRow, { model, maps: maps.get(outcome.bag.name) ?? [], lesions }),
  );
}

function slideFrom(
  outcome: BagOutcome,
  assigned: AssignedRow,
  {
    model,
    maps,
    lesions,
  }: { model: gatewayV1.Model; maps: readonly ScoreMap[]; lesions: PredictHeldOutOptions["lesions"] },
): PredictedSlide {
  const slide = slideOf(outcome.bag);
  const prediction = outcome.kind === "prediction" ? outcome.response.prediction : undefined;
  const isMultilabel = model.task?.kind === commonV1.Task_Kind.KIND_MULTILABEL;
  const shown =
    prediction === undefined
      ? ({ kind: "error", ...failureOf(outcome) } as const)
      : ({ kind: "prediction", view: viewPrediction(prediction, isMultilabel) } as const);
  const found = lesionAurocOf(maps[0], lesions.get(slide));
  return {
    slide,
    assigned,
    ...(prediction === undefined ? {} : { prediction }),
    row: predictionRowOf(outcome.bag, model.name, shown, assigned.row),
    maps,
    ...(maps[0] !== undefined && isPlaced(maps[0]) && { heatmap: renderHeatmap(maps[0]) }),
    ...(found === undefined ? {} : { lesionAuroc: found }),
  };
}

function failureOf(outcome: BagOutcome): { readonly code: string; readonly message: string } {
  if (outcome.kind === "error") return { code: outcome.code, message: outcome.message };
  return { code: "INTERNAL", message: "no prediction came" };
}

function lesionAurocOf(map: ScoreMap | undefined, lesion: Uint8Array | undefined): number | undefined {
  if (map === undefined || lesion === undefined || !lesion.includes(1)) return undefined;
  return auroc(Array.from(lesion), Array.from(map.values)) ?? undefined;
}
