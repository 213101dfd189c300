import { DomainError } from "@parfocal/errors";
import { createPickleCursor } from "./pickle-cursor.ts";
import { type Machine, OPCODES, pop } from "./pickle-opcodes.ts";
import type { PickleValue, TorchStorage } from "./pickle-values.ts";

/** Bounds time and memory. A checkpoint of a large model has some hundred thousand, a million coordinates in lists six million. */
const MAX_OPCODES = 20_000_000;

const STOP = 0x2e;

/** One pickle, read. */
export interface ReadPickle {
  readonly value: PickleValue;
  /** Position after the pickle. */
  readonly end: number;
  /** Every storage that it refers to. */
  readonly storages: readonly TorchStorage[];
}

/**
 * Reads one pickle from `bytes` at `start` without executing anything: containers, numbers, text, and the few globals of
 * which tensors are made, each assembled by hand. Protocols 0 to 5 as far as torch and numpy use them. No recursion, so
 * depth costs memory only.
 *
 * @throws {DomainError} RESOURCE_EXHAUSTED beyond 20 million opcodes; UNSAFE_PICKLE naming the first global that is not on the allow-list and where it stands, or an
 * opcode that only objects need; TRUNCATED when the bytes end first; CORRUPT when they are no pickle.
 */
export function readPickle(bytes: Uint8Array, start = 0, maxOpcodes = MAX_OPCODES): ReadPickle {
  const cursor = createPickleCursor(bytes, start);
  const machine: Machine = { cursor, stack: [], marks: [], memo: new Map(), storages: [] };
  for (let nOpcodes = 0; nOpcodes < maxOpcodes; nOpcodes += 1) {
    const position = cursor.position();
    const code = cursor.uint(1);
    if (code === STOP) return { value: pop(machine), end: cursor.position(), storages: machine.storages };
    const opcode = OPCODES.get(code);
    if (!opcode) throw refusedOpcode(code, position);
    opcode(machine, position);
  }
  throw new DomainError("RESOURCE_EXHAUSTED", `the pickle has more than ${maxOpcodes} opcodes`);
}

function refusedOpcode(code: number, position: number): DomainError {
  const shown = `0x${code.toString(16).padStart(2, "0")}`;
  const isObject = OBJECT_OPCODES.has(code);
  return isObject
    ? new DomainError(
        "UNSAFE_PICKLE",
        `the pickle builds an object (opcode ${shown}) at byte ${position}; only tensors are read`,
      )
    : new DomainError("CORRUPT", `there is no pickle opcode ${shown} (byte ${position})`);
}

/** OBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID, BYTEARRAY8, NEXT_BUFFER, READONLY_BUFFER. */
const OBJECT_OPCODES: ReadonlySet<number> = new Set([0x6f, 0x92, 0x82, 0x83, 0x84, 0x50, 0x96, 0x97, 0x98]);
