import type { Logger } from "../telemetry/logger.ts";

/**
 * What `open` gives, which leaves with the stack how to close each thing that it opened. When it throws, all of them are closed, the
 * latest first, and its error is the one that is thrown.
 */
export async function openOrClose<T>(logger: Logger, open: (opened: AsyncDisposableStack) => Promise<T>): Promise<T> {
  const opened = new AsyncDisposableStack();
  try {
    return await open(opened);
  } catch (error) {
    await opened.disposeAsync().catch((failure: unknown) => {
      logger.warn("what a failed start had opened could not all be closed", { error: failure });
    });
    throw error;
  }
}
