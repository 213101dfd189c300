import { DomainError } from "@parfocal/errors";
import { withLoadingReason } from "./cuda-loading.ts";
import { InferenceSession, Tensor } from "./onnxruntime.ts";
import { runtimeText } from "./runtime-errors.ts";
import { sessionOptions } from "./session-cache.ts";

/** `y = x + x` over `[2]` of f32, as an ONNX model of opset 20 (66 bytes). */
const DOUBLING_MODEL = "CAk6OAoOCgF4CgF4EgF5IgNBZGQSBHRlc3RaDwoBeBIKCggIARIECgIIAmIPCgF5EgoKCAgBEgQKAggCQgQKABAU";

/**
 * Gives the device that works: the one named, or for `auto` the first CUDA device when it works and else the CPU.
 * "Works" means that a small graph ran on it and gave the right answer.
 *
 * @throws {DomainError} DEVICE_MISSING when the named device cannot run, saying why
 */
export async function startDevice(device: string): Promise<string> {
  if (device !== "auto") return tryDevice(device);
  try {
    return await tryDevice("cuda:0");
  } catch {
    // `auto` asks for exactly this: whatever is wrong with CUDA, the CPU serves.
    return tryDevice("cpu");
  }
}

async function tryDevice(device: string): Promise<string> {
  try {
    const session = await InferenceSession.create(
      Buffer.from(DOUBLING_MODEL, "base64"),
      sessionOptions({ device, intraOpThreads: 1, allowSpinning: false }),
    );
    const { y } = await session.run({ x: new Tensor("float32", new Float32Array([1.5, -2]), [2]) });
    await session.release();
    const values = [...((y?.data ?? []) as Float32Array)];
    if (values[0] !== 3 || values[1] !== -4) throw new Error(`1.5 + 1.5 and -2 + -2 gave ${values.join(" and ")}`);
    return device;
  } catch (error) {
    const reason = withLoadingReason(runtimeText(error));
    throw new DomainError("DEVICE_MISSING", `device ${device} cannot run here: ${reason}`, { cause: error });
  }
}
