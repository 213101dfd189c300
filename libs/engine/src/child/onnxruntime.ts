import { env, InferenceSession, Tensor } from "onnxruntime-node";

// The one file that imports onnxruntime, and only engine processes load it.

/**
 * The tensor class decides at its first use how 16-bit floats are held. With a native `Float16Array` the binding of
 * onnxruntime-node 1.30 reads them as zero bytes long ("not enough space: expected 6, got 0"), so it must not find one:
 * 16-bit floats then travel as `Uint16Array` words, which it reads correctly.
 */
function holdHalvesAsWords(): void {
  const native = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
  if (native === undefined) return;
  Reflect.deleteProperty(globalThis, "Float16Array");
  try {
    new Tensor("float32", new Float32Array(1), [1]);
  } finally {
    Object.defineProperty(globalThis, "Float16Array", native);
  }
}

holdHalvesAsWords();
// Errors come back as exceptions; the runtime's own printing would double them on a service's log.
env.logLevel = "fatal";

export { InferenceSession, Tensor };
