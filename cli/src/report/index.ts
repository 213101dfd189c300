export { type AttentionGeoJsonInput, attentionGeoJson } from "./attention-geojson.ts";
export { renderCalibrationChart } from "./calibration-chart.ts";
export type { ColormapName } from "./colormap.ts";
export {
  formatCount,
  formatEstimate,
  formatInterval,
  formatMetric,
  formatPlural,
  formatShare,
  formatSignificant,
} from "./format.ts";
export { type HeatmapInput, percentilesOf, renderHeatmap } from "./heatmap.ts";
export { encodePredictionsCsv, encodePredictionsJson, type PredictionsCsvOptions } from "./predictions-file.ts";
export { renderReport } from "./render-report.ts";
export type {
  DataSummary,
  Fact,
  HeatmapFigure,
  ModelCard,
  PredictionRow,
  ReportData,
  TrainingRun,
} from "./report-data.ts";
export { type CurveChartData, renderPrChart, renderRocChart } from "./roc-chart.ts";
export { inferStridePx } from "./tile-grid.ts";
export { renderTrainingChart } from "./training-chart.ts";
