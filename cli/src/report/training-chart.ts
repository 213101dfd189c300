import { type Axis, chartDocument, createFrame, type Frame, legend, niceTicks, polyline } from "./chart.ts";
import { formatMetric, formatSignificant } from "./format.ts";
import { type Fragment, type Markup, markup } from "./markup.ts";
import type { TrainingRun } from "./report-data.ts";

const WIDTH = 820;
const LEFT = 66;
const PLOT_WIDTH = WIDTH - LEFT - 18;
const PANEL_HEIGHT = 170;
const GAP = 34;
/** More runs than this (folds, repeats) are drawn thin and share one legend line, or the legend would outgrow the plot. */
const MAX_NAMED_RUNS = 4;

/** What one panel shows of an epoch. */
interface Measure {
  readonly name: string;
  readonly of: (epoch: TrainingRun["epochs"][number]) => number | null | undefined;
}

const TRAIN_LOSS: Measure = { name: "training loss", of: (epoch) => epoch.trainLoss };
const VALIDATION_LOSS: Measure = { name: "validation loss", of: (epoch) => epoch.validationLoss };
const VALIDATION_SCORE: Measure = { name: "validation score", of: (epoch) => epoch.validationScore };

/**
 * Training curves as an SVG document: loss above, the validation score below (when there is one), on one axis of epochs. The epoch
 * whose weights were kept is marked when there is a single run.
 */
export function renderTrainingChart(runs: readonly TrainingRun[]): string {
  const losses = [TRAIN_LOSS, VALIDATION_LOSS].filter((measure) => hasValues(runs, measure));
  const scores = [VALIDATION_SCORE].filter((measure) => hasValues(runs, measure));
  const panels = [losses, scores].filter((measures) => measures.length > 0);
  const entries = legendEntries(runs, [...losses, ...scores]);
  const panelsHeight = panels.length * (PANEL_HEIGHT + GAP);
  const legendTop = 14 + panelsHeight + 30;
  const drawn = panels.map((measures, row) => {
    const offset = row === 0 ? 0 : losses.length;
    return panel({ runs, measures, offset, top: 14 + row * (PANEL_HEIGHT + GAP), isLast: row === panels.length - 1 });
  });
  const height = legendTop + 20 * entries.length;
  const title = scores.length > 0 ? `Loss and validation ${scoreName(runs)} by epoch` : "Loss by epoch";
  return chartDocument({ width: WIDTH, height, title, description: describeRuns(runs) }, [
    drawn,
    legend(entries, LEFT - 40, legendTop, 80),
  ]);
}

interface PanelInput {
  readonly runs: readonly TrainingRun[];
  readonly measures: readonly Measure[];
  /** Series index of the first measure. */
  readonly offset: number;
  readonly top: number;
  readonly isLast: boolean;
}

function panel({ runs, measures, offset, top, isLast }: PanelInput): Fragment {
  const isScore = measures[0] === VALIDATION_SCORE;
  const values = measures.flatMap((measure) => runs.flatMap((run) => run.epochs.map(measure.of).filter(isNumber)));
  const yAxis = valueAxis(values, isScore ? scoreName(runs) : null);
  const frame = createFrame({
    left: LEFT,
    top,
    width: PLOT_WIDTH,
    height: PANEL_HEIGHT,
    xAxis: epochAxis(runs),
    yAxis,
    hasXLabels: isLast,
  });
  const isMany = runs.length > 1;
  const lines = measures.flatMap((measure, m) =>
    runs.map((run, r) => {
      const points = run.epochs.map((epoch) => [epoch.epoch, measure.of(epoch) ?? Number.NaN] as const);
      return polyline(frame, points, seriesIndex(runs, offset + m, r), isMany ? "thin" : "series");
    }),
  );
  return [frame.axes, keptMarker(frame, runs, isScore), lines];
}

/** With a few runs a colour is a run; else a colour is a measure. */
function seriesIndex(runs: readonly TrainingRun[], measure: number, run: number): number {
  return runs.length > 1 && runs.length <= MAX_NAMED_RUNS ? run : measure;
}

function nameOf(measure: Measure, runs: readonly TrainingRun[]): string {
  return measure === VALIDATION_SCORE ? `validation ${scoreName(runs)}` : measure.name;
}

function scoreName(runs: readonly TrainingRun[]): string {
  return runs[0]?.scoreName ?? "AUROC";
}

function legendEntries(runs: readonly TrainingRun[], measures: readonly Measure[]): { text: string; index: number }[] {
  if (runs.length > 1 && runs.length <= MAX_NAMED_RUNS) return runs.map(({ name }, index) => ({ text: name, index }));
  const suffix = runs.length > 1 ? ` (${runs.length} runs)` : "";
  return measures.map((measure, index) => ({ text: nameOf(measure, runs) + suffix, index }));
}

function epochAxis(runs: readonly TrainingRun[]): Axis {
  const epochs = runs.flatMap((run) => run.epochs.map(({ epoch }) => epoch));
  const min = epochs.reduce((low, epoch) => Math.min(low, epoch), Infinity);
  const max = epochs.reduce((high, epoch) => Math.max(high, epoch), -Infinity);
  if (!(max > min))
    return {
      min: (epochs[0] ?? 0) - 1,
      max: (epochs[0] ?? 0) + 1,
      ticks: [epochs[0] ?? 0],
      label: "Epoch",
      format: String,
    };
  const ticks = niceTicks(min, max, 10).filter(Number.isInteger);
  return { min, max, ticks, label: "Epoch", format: String };
}

function valueAxis(values: readonly number[], score: string | null): Axis {
  const isScore = score !== null;
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  // A score is read against 1, AUROC against chance too; loss against 0.
  const min = isScore ? Math.min(0.5, Math.floor(low * 10) / 10) : Math.min(0, low);
  const max = isScore ? 1 : high > 0 ? high * 1.05 : 1;
  const ticks = niceTicks(min, max, 5);
  const format = (value: number): string => (isScore ? value.toFixed(1) : formatSignificant(value));
  return { min, max, ticks, label: score ?? "Loss", format };
}

function keptMarker(frame: Frame, runs: readonly TrainingRun[], isScore: boolean): Markup | null {
  const [run] = runs;
  const kept = run?.keptEpoch;
  if (run === undefined || kept === undefined || runs.length !== 1) return null;
  const x = frame.x(kept);
  const isRight = x > frame.left + frame.width - 130;
  const score = run.epochs.find(({ epoch }) => epoch === kept)?.validationScore;
  const text = isScore ? `${scoreName(runs)} ${formatMetric(score)}` : `kept: epoch ${kept}`;
  const y = isScore ? frame.top + frame.height - 10 : frame.top + 14;
  return markup`<path class="reference" d="M${x} ${frame.top}v${frame.height}"/><text class="note" x="${isRight ? x - 6 : x + 6}" y="${y}" text-anchor="${isRight ? "end" : "start"}">${text}</text>`;
}

function hasValues(runs: readonly TrainingRun[], measure: Measure): boolean {
  return runs.some((run) => run.epochs.some((epoch) => isNumber(measure.of(epoch))));
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function describeRuns(runs: readonly TrainingRun[]): string {
  return runs
    .slice(0, MAX_NAMED_RUNS)
    .map(({ name, epochs }) => {
      const last = epochs.at(-1);
      return `${name}: ${epochs.length} epochs, last training loss ${formatSignificant(last?.trainLoss ?? Number.NaN)}`;
    })
    .join("; ");
}
