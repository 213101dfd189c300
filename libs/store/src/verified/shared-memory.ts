import { countShared } from "./count-shared.ts";

/** Below this memory comes from the heap of the C library, which has pages of it ready: bags of 2 MB take a quarter less time so. */
const MIN_MAPPED_BYTES = 16 * 1024 * 1024;

/** What WebAssembly counts its memory in. */
const WASM_PAGE_BYTES = 64 * 1024;

/** Most that one of its memories holds. */
const MAX_MAPPED_BYTES = 65_536 * WASM_PAGE_BYTES;

/** What this file needs of WebAssembly, of which Node has the values and not the types. */
interface SharedMemory {
  new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }): {
    readonly buffer: SharedArrayBuffer;
  };
}

const { Memory } = Reflect.get(globalThis, "WebAssembly") as { readonly Memory: SharedMemory };

/**
 * `nBytes` zeros that all threads of the process see, freed when nobody holds them; see {@link countShared}.
 *
 * Large ones are the memory of a WebAssembly module that is not there: the one kind that V8 maps itself. The C library may ask for
 * pages of 2 MB (the engine's does), which is right for what a run uses again and again, but for bytes that are read once a
 * virtual machine may have to fetch every such page from its host: 95 ms for 40 MB, where pages of 4 KB, which the kernel had in
 * use a moment ago, take 17. Each such memory reserves 10 GB of addresses; where a limit forbids that, it is the usual kind.
 */
export function allocateShared(nBytes: number, MemoryClass = Memory): Uint8Array<SharedArrayBuffer> {
  const bytes = allocateUncounted(nBytes, MemoryClass);
  countShared(bytes.buffer, nBytes);
  return bytes;
}

function allocateUncounted(nBytes: number, MemoryClass: SharedMemory): Uint8Array<SharedArrayBuffer> {
  if (nBytes < MIN_MAPPED_BYTES || nBytes > MAX_MAPPED_BYTES) return new Uint8Array(new SharedArrayBuffer(nBytes));
  const nPages = Math.ceil(nBytes / WASM_PAGE_BYTES);
  try {
    return new Uint8Array(new MemoryClass({ initial: nPages, maximum: nPages, shared: true }).buffer, 0, nBytes);
  } catch (error) {
    if (error instanceof RangeError) return new Uint8Array(new SharedArrayBuffer(nBytes));
    throw error;
  }
}
