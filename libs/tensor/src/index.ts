export { captureGraph, type CaptureOptions, type ConstantTensor } from "./capture/capture.ts";
export type { CapturedGraph, Dim, GraphPort, GraphType } from "./graph.ts";
export { expandTo } from "./operations/expand.ts";
export { sizeOf } from "./operations/size-of.ts";
export { tf } from "./tf.ts";
export { linear } from "./operations/linear.ts";
