export { assertRecipeFits } from "./assert-recipe.ts";
export { assignParts, patientsOf } from "./assign-parts.ts";
export { assertGroupsFit } from "./bag-groups.ts";
export { type BaselineHazard, survivalCurve } from "./baseline-hazard.ts";
export { type CheckpointSource, checkpointSourceOf } from "./checkpoints/checkpoint-source.ts";
export {
  type CheckpointImport,
  type ImportedCheckpoint,
  importCheckpoint,
} from "./checkpoints/import-checkpoint.ts";
export type { ImportSettings, TakenSetting } from "./checkpoints/layout.ts";
export { publishCheckpoint } from "./checkpoints/publish-checkpoint.ts";
export type { EarlyStoppingConfig } from "./early-stopping.ts";
export { fitThresholds } from "./finish.ts";
export type {
  BagSourceFacts,
  EpochReport,
  LabelledBag,
  Part,
  PartReport,
  ScoredBag,
  StartFrom,
  TrainDeps,
  TrainEvent,
  TrainedModel,
  TrainJob,
} from "./job.ts";
export { assertLabel, type EventTime, type Label } from "./label.ts";
export { type MeasuredCase, measureCases } from "./measure-cases.ts";
export { createOptimiser, type Optimiser } from "./optimiser.ts";
export type { OptimiserConfig } from "./optimiser-config.ts";
export type { Certainty } from "./package/certainty.ts";
export { type EvaluateDeps, type EvaluatedBag, evaluateModel, type ModelEvaluation } from "./package/evaluate-model.ts";
export {
  decidingGraph,
  type LoadedModel,
  type LoadedReembedder,
  type LoadOptions,
  loadModel,
} from "./package/load-model.ts";
export {
  encodeManifest,
  type ModelManifest,
  type PackageFile,
  type PackageGraph,
  type PackageGraphs,
  type PretrainingFacts,
} from "./package/manifest.ts";
export { createModelCache, type ModelCache } from "./package/model-cache.ts";
export { manifestKeyOf } from "./package/package-files.ts";
export { type PartMetrics, partMetricsFromReport } from "./package/part-metrics.ts";
export {
  type BagAttention,
  type BagPrediction,
  decide,
  type PredictDeps,
  type PredictOptions,
  predictBag,
} from "./package/predict-bag.ts";
export { type BagOutcome, predictBags } from "./package/predict-bags.ts";
export { predictPatient } from "./package/predict-patient.ts";
export { type PublishedModel, type PublishOptions, publishModel } from "./package/publish-model.ts";
export { parseManifest } from "./package/read-manifest.ts";
export type { SeenPart } from "./package/seen-bags.ts";
export { readServingInput, type ServingInput } from "./package/serving-input.ts";
export { pretrain } from "./pretrain/pretrain.ts";
export { pretrainStepBuild } from "./pretrain/pretrain-graphs.ts";
export type {
  LevelLoss,
  PretrainDeps,
  PretrainEvent,
  PretrainedMixer,
  PretrainJob,
  PretrainPace,
  PretrainReport,
  RegionBag,
} from "./pretrain/pretrain-job.ts";
export { type PretrainSpec, parsePretrainSpec, pretrainSpecJson } from "./pretrain/pretrain-spec.ts";
export { publishMixer } from "./pretrain/publish-mixer.ts";
export { createKeyedLock, type KeyedLock } from "./reembed/keyed-lock.ts";
export { type ReembedDeps, type ReembedProgress, reembedBag } from "./reembed/reembed-bag.ts";
export type { ScheduleConfig } from "./schedule.ts";
export { riskFromLogits } from "./score.ts";
export {
  applyStepBuild,
  gradStepBuild,
  logitsBuild,
  momentsBuild,
  trainStepBuild,
} from "./step-graphs.ts";
export { train } from "./train.ts";
export {
  type GroupRule,
  groupRuleOf,
  parseTrainSpec,
  type SplitConfig,
  type TrainSpec,
  trainSpecJson,
} from "./train-spec.ts";
export type { OptimiserState } from "./update-rule.ts";
