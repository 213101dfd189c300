import type { gatewayV1 } from "@parfocal/protocol";
import { attentionMapsOf } from "../client/attention-files.ts";
import type { GatewayClients } from "../client/clients.ts";
import { type BagOutcome, predictBags } from "../client/predict-bags.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import { formatMetric, type HeatmapFigure, isPlaced, type PredictionRow, renderHeatmap } from "../report/index.ts";
import type { CommandContext } from "../run-command.ts";

/**
 * Maps of some scored slides for a report, those of the surest last class (of a binary task the positive one) first. None where the head
 * weighs no tiles, bags have no coordinates or slides are decided together.
 */
export async function attentionFigures(
  { env, output, signal }: Pick<CommandContext, "env" | "output" | "signal">,
  clients: GatewayClients,
  {
    model,
    scored,
    count,
  }: { readonly model: gatewayV1.Model; readonly scored: readonly ScoredRow[]; readonly count: number },
): Promise<HeatmapFigure[]> {
  const last = model.task?.classes.at(-1) ?? "";
  const chosen = scored
    .filter(({ prediction, assigned }) => prediction !== undefined && assigned.bag.reference?.hasCoordinates === true)
    .toSorted((a, b) => urgencyOf(b.row, last) - urgencyOf(a.row, last))
    .slice(0, count);
  if (chosen.length === 0) return [];
  const figures = new Map<string, HeatmapFigure[]>();
  const rowOf = new Map(chosen.map(({ assigned, row }) => [assigned.bag.name, row]));
  const progress = output.progress("drawing");
  const onBag = async (outcome: BagOutcome, nDone: number) => {
    progress.update({ fraction: nDone / chosen.length, text: `${nDone} of ${chosen.length}` });
    const row = rowOf.get(outcome.bag.name);
    if (outcome.kind === "error" || row === undefined) return;
    const maps = await attentionMapsOf(outcome.bag, outcome.response.attention, env, signal);
    figures.set(
      outcome.bag.name,
      maps
        .filter(isPlaced)
        .map((map) => ({ slide: row.slide, caption: captionOf(row, map.label), png: renderHeatmap(map) })),
    );
  };
  const bags = chosen.map(({ assigned }) => assigned.bag);
  await predictBags(clients, bags, { model: model.name, includeAttention: true, signal, onBag });
  progress.end();
  return chosen.flatMap(({ assigned }) => figures.get(assigned.bag.name) ?? []);
}

/** The probability of the last class, or the risk. */
function urgencyOf({ probabilities, risk }: PredictionRow, last: string): number {
  return probabilities?.[last] ?? risk ?? 0;
}

function captionOf({ decision, probabilities, truth }: PredictionRow, label: string): string {
  const p = probabilities?.[decision ?? ""];
  const parts = [
    ...(label === "" ? [] : [`map of ${label}`]),
    ...(decision === null || decision === ""
      ? []
      : [`${decision}${p === undefined ? "" : `, probability ${formatMetric(p)}`}`]),
    ...(truth ? [`truth: ${truth}`] : []),
  ];
  return parts.join("; ");
}
