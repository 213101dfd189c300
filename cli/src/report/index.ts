export { attentionGeoJson } from "./attention-geojson.ts";
export { largestByCell, sumByCell } from "./cell-map.ts";
export { type ComparedDraw, renderComparison } from "./comparison-page.ts";
export { assertLevel0Pixels, type CoordUnit, coordUnitWords } from "./coord-unit.ts";
export { formatCount, formatEstimate, formatMetric, formatPlural, formatSignificant } from "./format.ts";
export { renderHeatmap } from "./heatmap.ts";
export { renderOverlay, type ThumbnailScale } from "./overlay.ts";
export { decodePicture, type Picture } from "./picture.ts";
export { encodePredictionsCsv, encodePredictionsJson, encodePredictionsParquet } from "./predictions-file.ts";
export { isDecidedRightly } from "./predictions-section.ts";
export { renderReport } from "./render-report.ts";
export type {
  DataSummary,
  Fact,
  FoldRow,
  FoldTable,
  HeatmapFigure,
  ModelCard,
  NumbersFigure,
  PredictionRow,
  ReportData,
  SpreadView,
  SurvivalFigure,
  TrainingRun,
} from "./report-data.ts";
export { slideText, truthText } from "./row-words.ts";
export { extremeTilesTable, isPlaced, type PlacedMap, type ScoreMap, tileScoresTable } from "./tile-scores.ts";
