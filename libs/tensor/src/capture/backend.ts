import { DomainError } from "@parfocal/errors";
import { tf } from "../tf.ts";
import { activeRecorder, graphTypeOf, type Recorder, type ValueHandle } from "./recorder.ts";
import type { ConstantData } from "./recording.ts";

/** Name under which the capture backend is known to tfjs. */
export const CAPTURE_BACKEND = "onnx-capture";

/** The running capture's recorder. @throws {DomainError} PRECONDITION_FAILED when no capture is running. */
export function requireRecorder(): Recorder {
  const recorder = activeRecorder();
  if (recorder === undefined) {
    throw new DomainError("PRECONDITION_FAILED", `the ${CAPTURE_BACKEND} backend works only inside captureGraph`);
  }
  return recorder;
}

/**
 * A tfjs backend without data: a data id is a handle to a value of the graph being recorded. Writing makes a constant,
 * reading gives a constant back and refuses anything that only a run can know.
 */
class CaptureBackend extends tf.KernelBackend {
  override write(values: unknown, shape: number[], dtype: tf.DataType): object {
    const type = { dtype: graphTypeOf(dtype), shape };
    const handle: ValueHandle = { value: requireRecorder().constant(toConstantData(values, type.dtype), type) };
    return handle;
  }

  override readSync(dataId: object): tf.backend_util.BackendValues {
    const value = (dataId as ValueHandle).value;
    const data = requireRecorder().constantOf(value);
    if (data === undefined || data instanceof BigInt64Array) {
      throw new DomainError(
        "UNSUPPORTED_OPERATION",
        "dataSync: the values of a tensor are not known while its graph is captured",
      );
    }
    return data;
  }

  override read(dataId: object): Promise<tf.backend_util.BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }

  override numDataIds(): number {
    return 0;
  }

  override incRef(): void {}
  decRef(): void {}
  override refCount(): number {
    return 1;
  }
  override disposeData(): boolean {
    return true;
  }
  override dispose(): void {}
  override timerAvailable(): boolean {
    return false;
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
}

function toConstantData(values: unknown, dtype: "f32" | "i32" | "bool"): ConstantData {
  if (dtype === "f32") return values instanceof Float32Array ? values : Float32Array.from(values as number[]);
  if (dtype === "i32") return values instanceof Int32Array ? values : Int32Array.from(values as number[]);
  return values instanceof Uint8Array ? values : Uint8Array.from(values as number[]);
}

/** Runs `work` on a registered tfjs backend and puts the previous one back, whatever happens. Synchronous. */
export function withBackend<T>(name: string, work: () => T): T {
  // Reading the property makes tfjs choose its default backend now, so that there is one to come back to.
  void tf.backend();
  const previous = tf.getBackend();
  switchBackend(name);
  try {
    return work();
  } finally {
    switchBackend(previous);
  }
}

function switchBackend(name: string): void {
  // Backends with a synchronous factory are in place when this call returns; its promise only repeats that.
  tf.setBackend(name).catch(() => undefined);
  if (tf.getBackend() !== name) throw new DomainError("INTERNAL", `tfjs did not switch to its backend ${name}`);
}

/** Registers the backend (once) at the lowest priority, so that it is never anyone's default. */
export function registerCaptureBackend(): void {
  if (tf.findBackendFactory(CAPTURE_BACKEND) === null)
    tf.registerBackend(CAPTURE_BACKEND, () => new CaptureBackend(), -1);
}
