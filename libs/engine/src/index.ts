export type {
  DeviceInfo,
  ElementType,
  Engine,
  EngineCallOptions,
  HostTensor,
  RunRequest,
  RunResult,
  TensorSink,
  TensorSource,
} from "./engine-port.ts";
