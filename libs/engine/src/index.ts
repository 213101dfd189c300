export { createEngine } from "./create-engine.ts";
export { createEagerEngine } from "./eager/create-eager-engine.ts";
export type { EngineOptions, StoreConfig } from "./engine-options.ts";
export type {
  DeviceInfo,
  ElementType,
  Engine,
  EngineCallOptions,
  EngineStats,
  HostTensor,
  OutputRows,
  RunRequest,
  RunResult,
  StepEngine,
  TensorSink,
  TensorSource,
  WrittenObject,
} from "./engine-port.ts";
export { listDevices } from "./list-devices.ts";
export { createRandomWords, type RandomWordsOptions } from "./random-words.ts";
export { warmUp } from "./warm-up.ts";
