export { optimiserFromWire, regionMixerFromWire } from "./config-from-wire.ts";
export {
  bagReferenceFromRef,
  bagRefFromWire,
  folderFromWire,
  invalidField,
  modelReferenceOf,
  objectFromWire,
  packageFromWire,
  type StoreRoot,
} from "./references.ts";
export { bytesFromMb, cachedModelsSetting, type StageConfig, stageSettings, trainerSetting } from "./settings.ts";
export { type Stage, type StageDeps, startStage } from "./start-stage.ts";
export { ACTIVATIONS, choice, defined, type Fields, missing } from "./wire-fields.ts";
