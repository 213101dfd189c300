/**
 * Maps to steps of a workflow, with at most `limit` begun and not ended, results in order. The first failure is thrown at once and no
 * further step begins: a workflow that ends ends the steps that it left running.
 */
export async function mapSteps<T, R>(
  items: readonly T[],
  limit: number,
  step: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    try {
      while (next < items.length) {
        const index = next++;
        results[index] = await step(items[index] as T, index);
      }
    } finally {
      // After a failure there is nothing left to take.
      next = items.length;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
