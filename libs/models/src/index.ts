export { type AnswerName, answerFromLogits, answerName, probabilitiesFromLogits, probabilityTensor } from "./answer.ts";
export {
  buildModel,
  type DropoutFunction,
  type Model,
  type ModelConfig,
  type ModelInput,
  type ModelOutput,
  type ModelStages,
  modelConfigJson,
  type ParameterTensors,
  parseModelConfig,
} from "./build-model.ts";
export {
  bagPorts,
  captureAggregate,
  modelInputFromPorts,
  type ServingOptions,
} from "./capture-aggregate.ts";
export {
  captureReembed,
  captureServing,
  type ReembedGraphs,
  type ReembedHalves,
  type ServingGraphs,
} from "./capture-reembed.ts";
export {
  type ConfigObject,
  type ConfigReader,
  type ConfigValue,
  createConfigReader,
  type NumberBounds,
} from "./config-reader.ts";
export { type GridOptions, gridFromCoords, type TileGrid } from "./geometry/grid-from-coords.ts";
export { levelWeights, lossShares, WEIGHTINGS, type Weighting } from "./mixer/level-weights.ts";
export { countKept, splitTokens, type TokenSplit } from "./mixer/masking.ts";
export type { MixerConfig } from "./mixer/mixer-config.ts";
export {
  type ContrastiveConfig,
  type MaskedConfig,
  type PretrainModelConfig,
  parsePretrainModel,
} from "./mixer/pretrain-config.ts";
export {
  buildPretrainModel,
  type PretrainInput,
  type PretrainModel,
  type PretrainOutput,
  type PretrainPortOptions,
  pretrainInputFromPorts,
  pretrainPorts,
  projectionPorts,
} from "./mixer/pretraining.ts";
export { countTokens, tokenLevels } from "./mixer/token-layout.ts";
export {
  type AuxiliaryOutput,
  type BagSize,
  type BagTarget,
  type DepthRule,
  type DropoutSite,
  type ForwardContext,
  type HeadConfig,
  type HeadDefaults,
  type HeadDefinition,
  type HeadOutput,
  type HeadWidths,
  KEPT_TILES,
  type OutputRows,
  REGIONS,
  type ReembedderConfig,
  type ReembedderDefinition,
  type ReembedderInput,
  type ReembedderOutput,
  type RegionRule,
  ROW_SIZES,
  type SideInput,
  type SideTensors,
  type StageDeclaration,
  type StemDefinition,
  TILES,
} from "./model.ts";
export {
  assertWeightsFit,
  countParameters,
  type Initialiser,
  initialiseParameters,
  type LinearScheme,
  linearParameters,
  type ParameterSpec,
  type RandomSource,
  sizeOfShape,
  type Weights,
} from "./parameter.ts";
export { HEAD_KINDS, REEMBEDDER_KINDS } from "./registry.ts";
export {
  branchNames,
  type CoxTask,
  countLogits,
  countThresholds,
  hasClasses,
  type Link,
  parseTask,
  type RegressionTask,
  type SurvivalTask,
  TASK_KINDS,
  type Task,
} from "./task.ts";
