import util from "node:util";
import { DomainError } from "@parfocal/errors";
import { tf } from "./tf.ts";

/** Where eager computation happens: tfjs's own kernels in JavaScript, or libtensorflow on an NVIDIA GPU. */
export type EagerBackend = "tfjs-cpu" | "tfjs-node-gpu";

/** The package of a backend that does not come with Parfocal, and the name under which it registers itself. */
const NATIVE = { package: "@tensorflow/tfjs-node-gpu", backend: "tensorflow" } as const;

/**
 * Makes a backend ready; gives its name in tfjs.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when its package is not installed, cannot be loaded, or brought a tfjs of its own.
 */
export async function loadEagerBackend(kind: EagerBackend): Promise<string> {
  if (kind === "tfjs-cpu") return "cpu";
  void tf.backend();
  const before = tf.getBackend();
  restoreForgottenUtilities();
  setUpTensorFlow();
  try {
    // By a name that is no literal: the package is not a dependency, and neither compiler nor bundler shall look for it.
    await import(NATIVE.package as string);
  } catch (cause) {
    throw unloadable(cause);
  }
  // The package makes itself everybody's default.
  await tf.setBackend(before);
  if (tf.findBackend(NATIVE.backend) !== null) return NATIVE.backend;
  throw new DomainError(
    "PRECONDITION_FAILED",
    `${NATIVE.package} brought a tfjs of its own; install version ${tf.version.tfjs}`,
  );
}

/**
 * Whether a backend that is ready computes on a GPU. TensorFlow takes the processor instead, without an error, where there is no GPU
 * or not all of CUDA.
 */
export function isOnGpu(kind: EagerBackend): boolean {
  if (kind === "tfjs-cpu") return false;
  const backend = tf.findBackend(NATIVE.backend) as { readonly isUsingGpuDevice?: boolean } | null;
  return backend?.isUsingGpuDevice === true;
}

function unloadable(cause: unknown): DomainError {
  const isMissing = (cause as NodeJS.ErrnoException | undefined)?.code === "ERR_MODULE_NOT_FOUND";
  const reason = isMissing
    ? `is not installed: deploy/tfjs/build.sh makes it (npm install ${NATIVE.package}@${tf.version.tfjs} has no binding for Node 22 or newer)`
    : `cannot be loaded: ${cause instanceof Error ? cause.message.split("\n", 1)[0] : "unknown reason"}; deploy/tfjs/build.sh makes it`;
  return new DomainError(
    "PRECONDITION_FAILED",
    `the trainer tfjs-node-gpu was asked for, and ${NATIVE.package} ${reason}`,
    { cause },
  );
}

/** Functions that Node 23 took away, or prints a warning about, and version 4.22 of the package still calls. */
function restoreForgottenUtilities(): void {
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  legacy.isArray = Array.isArray;
}

/** What TensorFlow and CUDA's libraries read as they start, where the environment does not say otherwise. */
const TENSORFLOW_ENVIRONMENT = {
  // Memory as it is needed: the engine's process computes on the same GPU, of which TensorFlow would take nearly all at once.
  TF_FORCE_GPU_ALLOW_GROWTH: "true",
  // TensorFloat-32 keeps 10 bits of a factor's mantissa; the engine does without it as well.
  NVIDIA_TF32_OVERRIDE: "0",
};

function setUpTensorFlow(): void {
  for (const [name, value] of Object.entries(TENSORFLOW_ENVIRONMENT)) process.env[name] ??= value;
}
