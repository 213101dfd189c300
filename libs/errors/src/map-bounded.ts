/**
 * Maps with at most `limit` calls of `work` at a time, results in the order of `items`. The first failure stops the taking of further
 * items, fires the signal that every call has, and is thrown once the running ones have ended.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number, failed: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const failed = new AbortController();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed.signal.aborted) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T, index, failed.signal);
      } catch (error) {
        // The first reason stays: what the others fail with is its consequence.
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failed.signal.aborted) throw failed.signal.reason;
  return results;
}
