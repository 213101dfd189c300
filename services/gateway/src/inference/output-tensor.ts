/** An output of an inference. */
export interface OutputTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** `FP32`, or texts as `BYTES`. */
  readonly values: Float32Array | readonly string[];
}
