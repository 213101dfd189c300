/** The package that the trainer `tfjs-node-gpu` computes with; by a name that is no literal, as it is no dependency. */
const PACKAGE: string = "@tensorflow/tfjs-node-gpu";

/**
 * Why nothing can be computed by TensorFlow here; `undefined` when it can.
 *
 * @throws Error where it must be: with `PARFOCAL_REQUIRE_TFJS=1` a missing package is a failure.
 */
export function whyNoTfjs(): string | undefined {
  try {
    import.meta.resolve(PACKAGE);
    return undefined;
  } catch (cause) {
    const reason = `${PACKAGE} is not installed (scripts/ci-tfjs.sh makes it)`;
    if (process.env.PARFOCAL_REQUIRE_TFJS === "1") throw new Error(`${reason}; this run requires it`, { cause });
    return reason;
  }
}
