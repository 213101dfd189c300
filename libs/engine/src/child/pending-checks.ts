/** Digests, still being computed, of what a sequence of runs reads. */
export interface PendingChecks {
  /** Takes one more; it may fail before anybody asks. */
  add(verified: Promise<void>): void;
  /**
   * Waits for all that were taken.
   *
   * @throws {DomainError} CORRUPT when one of the objects is another one
   */
  settle(): Promise<void>;
}

/**
 * Nothing to wait for yet. A run may begin before its inputs are known to be right, so that hashing takes no time of its own;
 * nothing that it made may leave it before {@link PendingChecks.settle}.
 */
export function createPendingChecks(): PendingChecks {
  const pending: Promise<void>[] = [];
  return {
    add(verified) {
      verified.catch(() => undefined);
      pending.push(verified);
    },
    async settle() {
      await Promise.all(pending.splice(0));
    },
  };
}
