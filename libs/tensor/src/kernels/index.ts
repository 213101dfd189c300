import type { NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs";
import { CAPTURE_BACKEND, requireRecorder } from "../capture/backend.ts";
import { tf } from "../tf.ts";
import { binaryKernels } from "./binary.ts";
import { convKernels } from "./conv.ts";
import { creationKernels, gatherKernels } from "./gather.ts";
import { infosOf, type Kernel, type KernelTable } from "./kernel.ts";
import { matmulKernels } from "./matmul.ts";
import { reduceKernels } from "./reduce.ts";
import { shapeKernels } from "./shape.ts";
import { unaryKernels } from "./unary.ts";

/** Every tfjs kernel that can be captured. */
const KERNELS: KernelTable = {
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...matmulKernels,
  ...convKernels,
  ...shapeKernels,
  ...gatherKernels,
  ...creationKernels,
};

let isRegistered = false;

/** Registers the kernels for the capture backend, once per process. */
export function registerKernels(): void {
  if (isRegistered) return;
  isRegistered = true;
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    tf.registerKernel({
      kernelName,
      backendName: CAPTURE_BACKEND,
      kernelFunc: ({ inputs, attrs }) => runKernel(kernelName, kernel, inputs as NamedTensorInfoMap, attrs),
    });
  }
}

function runKernel(
  name: string,
  kernel: Kernel,
  inputs: NamedTensorInfoMap,
  attrs: unknown,
): TensorInfo | TensorInfo[] {
  const recorder = requireRecorder();
  return recorder.as(name, () => {
    const list = Object.values(inputs).flatMap((info) =>
      info === null || info === undefined ? [] : [recorder.valueOf(info)],
    );
    const input = (key: string) => recorder.valueOf(inputs[key] as TensorInfo);
    return infosOf(kernel({ recorder, input, list, attrs }));
  });
}
