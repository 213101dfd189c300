import { DomainError, isDomainError } from "@parfocal/errors";

// The runtime reports everything as text: these are its words for the failures a caller can act on.
const MEMORY =
  /bad_alloc|failed to allocate memory|out of memory|array buffer allocation failed|CUDA_ERROR_OUT_OF_MEMORY/i;
const SHAPE =
  /invalid dimensions|invalid rank|shape mismatch|unexpected input data type|cannot be broadcast|dimension mismatch/i;

const BROKEN = /protobuf parsing failed|does not have a graph|is an invalid model/i;
const UNKNOWN = /no op registered|is not a registered function|could not find an implementation for/i;

/** Where in the runtime's sources an error arose, and the condition that failed there: noise to callers. */
const SOURCE_PLACE = /\/onnxruntime_src\/\S+:\d+ .*?\)(?:::<lambda\(\)>)? (?:\S.*? was false\. )?/;

/** What a call into CUDA's libraries gave, among where it was made and on which host. */
const CUDA_FAILURE = /\bCU[A-Z]* failure \d+: .*?(?= ; GPU=)/;

/** The model's file on this machine. */
const MODEL_PLACE = /Load model from \S+ failed: ?/;

/** What the runtime says, without places that mean nothing to callers. */
export function runtimeText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return CUDA_FAILURE.exec(text)?.[0] ?? text.replace(SOURCE_PLACE, "").replace(MODEL_PLACE, "").trim();
}

/** The typed error that a failure inside the engine process stands for. */
export function errorFromRuntime(error: unknown): DomainError {
  if (isDomainError(error)) return error;
  const text = runtimeText(error);
  if (MEMORY.test(text))
    return new DomainError("OUT_OF_MEMORY", `the run needs more memory than there is: ${text}`, { cause: error });
  if (SHAPE.test(text)) return new DomainError("SHAPE_MISMATCH", text, { cause: error });
  if (UNKNOWN.test(text)) return new DomainError("UNSUPPORTED_OPERATION", text, { cause: error });
  if (BROKEN.test(text)) return new DomainError("CORRUPT", `the model cannot be read: ${text}`, { cause: error });
  return new DomainError("INTERNAL", `the runtime failed: ${text}`, { cause: error });
}
