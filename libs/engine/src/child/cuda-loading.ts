import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

/** The runtime's words when the loader refused the CUDA provider, whose reason it keeps for its own log. */
const REFUSED = "Failed to load shared library";

const PROVIDER = "libonnxruntime_providers_cuda.so";

/** Nothing, or Node's complaint about a library that was loaded and is no module of its. */
const LOADED = /^$|did not self-register/;

/**
 * What the runtime said of a device, and, where it could not load its CUDA provider, what lacks for that: the provider,
 * the driver, or a library of CUDA. The loader is asked once more for what the runtime has just been refused.
 */
export function withLoadingReason(text: string): string {
  if (!text.includes(REFUSED)) return text;
  return reasonFrom(loaderText()) ?? text;
}

/** In words of ours what the loader's text means; `undefined` when the loader found nothing wrong. */
export function reasonFrom(text: string): string | undefined {
  const missing = /(\S+): cannot open shared object file/.exec(text)?.[1];
  if (missing === undefined) return LOADED.test(text) ? undefined : `the CUDA provider cannot be loaded: ${text}`;
  if (missing.endsWith(PROVIDER)) return `onnxruntime-node has no CUDA provider here (${PROVIDER} is missing)`;
  if (missing.startsWith("libcuda.so"))
    return `the NVIDIA driver is missing (${missing}): no GPU was given to this machine or container`;
  return `the CUDA provider needs ${missing}, which is missing`;
}

/** What the loader says when it is asked for the provider; nothing that matters where it loads. */
function loaderText(): string {
  const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const file = join(runtime, "bin/napi-v6", process.platform, process.arch, PROVIDER);
  try {
    process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_LAZY);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
