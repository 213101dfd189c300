const stands = new WeakMap<SharedArrayBuffer, ArrayBuffer>();

/**
 * Lets this thread's collector know of `nBytes` of `memory`. V8 counts shared memory in no thread: who reads one large object after
 * another would keep them all, as nothing says that there is much to free. So a buffer of that size, which is never touched (it
 * takes addresses and no memory) and is counted, stands for it as long as this thread holds it.
 *
 * Every thread that gets hold of the memory calls this.
 */
export function countShared(memory: ArrayBufferLike, nBytes: number): void {
  if (!(memory instanceof SharedArrayBuffer) || stands.has(memory)) return;
  try {
    // Resizable ones are mapped by V8 itself; others come from the C library, which may clear memory that it had.
    stands.set(memory, new ArrayBuffer(nBytes, { maxByteLength: nBytes }));
  } catch (error) {
    // Where addresses are limited the memory is freed late, which is no reason to fail.
    if (!(error instanceof RangeError)) throw error;
  }
}
