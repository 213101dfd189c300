import { DomainError } from "@parfocal/errors";
import { applyState, buildCall, setEntry, storageFromId } from "./pickle-calls.ts";
import type { PickleCursor } from "./pickle-cursor.ts";
import { isAllowedGlobal } from "./pickle-globals.ts";
import {
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleTuple,
  type PickleValue,
  type TorchStorage,
} from "./pickle-values.ts";

/** The state of one reading. Opcodes change it in place. */
export interface Machine {
  readonly cursor: PickleCursor;
  stack: PickleValue[];
  /** Stacks put aside by MARK. */
  readonly marks: PickleValue[][];
  readonly memo: Map<number, PickleValue>;
  readonly storages: TorchStorage[];
}

/** What one opcode does; `position` is where it stands. */
export type Opcode = (machine: Machine, position: number) => void;

const push = ({ stack }: Machine, value: PickleValue): void => void stack.push(value);

/** Takes the top of the stack. Throws `CORRUPT` when it is empty. */
export function pop({ stack, cursor }: Machine): PickleValue {
  const value = stack.pop();
  if (value === undefined)
    throw new DomainError("CORRUPT", `the pickle takes from an empty stack at byte ${cursor.position()}`);
  return value;
}

/** Everything since the last MARK. */
function popMark(machine: Machine): PickleValue[] {
  const items = machine.stack;
  const outer = machine.marks.pop();
  if (!outer) throw new DomainError("CORRUPT", `the pickle lacks a mark at byte ${machine.cursor.position()}`);
  machine.stack = outer;
  return items;
}

function popTuple(machine: Machine, length: number): PickleTuple {
  return new PickleTuple(Array.from({ length }, () => pop(machine)).reverse());
}

function pushGlobal(machine: Machine, module: PickleValue, name: PickleValue, position: number): void {
  if (typeof module !== "string" || typeof name !== "string") {
    throw new DomainError("UNSAFE_PICKLE", `the pickle names a global by something but text at byte ${position}`);
  }
  const full = `${module}.${name}`;
  if (!isAllowedGlobal(full)) {
    const shown = full.length > 120 ? `${full.slice(0, 117)}...` : full;
    const message = `the pickle names ${shown} at byte ${position}; only tensors and plain containers are read, nothing is executed`;
    throw new DomainError("UNSAFE_PICKLE", message, { details: { global: shown, position: `${position}` } });
  }
  push(machine, new PickleGlobal(full));
}

function appendTo(machine: Machine, items: readonly PickleValue[]): void {
  const list = machine.stack.at(-1);
  if (!(list instanceof PickleList))
    throw new DomainError("CORRUPT", `the pickle appends to no list at byte ${machine.cursor.position()}`);
  for (const item of items) list.items.push(item);
}

function setItems(machine: Machine, items: readonly PickleValue[]): void {
  const dict = machine.stack.at(-1);
  if (!(dict instanceof PickleDict))
    throw new DomainError("CORRUPT", `the pickle sets items of no dict at byte ${machine.cursor.position()}`);
  for (let index = 0; index < items.length; index += 2) setEntry(dict, items[index], items[index + 1]);
}

function listOf(items: readonly PickleValue[]): PickleList {
  const list = new PickleList();
  for (const item of items) list.items.push(item);
  return list;
}

function dictOf(machine: Machine, items: readonly PickleValue[]): void {
  push(machine, new PickleDict());
  setItems(machine, items);
}

function remember(machine: Machine, key: number): void {
  const top = machine.stack.at(-1);
  if (top === undefined)
    throw new DomainError("CORRUPT", `the pickle remembers nothing at byte ${machine.cursor.position()}`);
  machine.memo.set(key, top);
}

function recall(machine: Machine, key: number): void {
  const value = machine.memo.get(key);
  if (value === undefined) throw new DomainError("CORRUPT", `the pickle recalls value ${key}, which it never had`);
  push(machine, value);
}

function integerLine(cursor: PickleCursor): number | bigint | boolean {
  const text = cursor.line();
  if (text === "01" || text === "00") return text === "01";
  if (!/^[+-]?\d{1,150}L?$/u.test(text)) throw new DomainError("CORRUPT", "the pickle has an integer that is none");
  const value = BigInt(text.replace("L", ""));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Text of old pickles stands in quotes with escapes; none of what is read here needs one. */
function quotedLine(cursor: PickleCursor): string {
  const [, text] = /^(?:'([^'\\]*)'|"[^"\\]*")$/u.exec(cursor.line()) ?? [];
  if (text === undefined) throw new DomainError("CORRUPT", "the pickle has text in quotes that is not plain");
  return text;
}

const latin1 = (m: Machine, length: number): void => push(m, m.cursor.text(length, "latin1"));
const utf8 = (m: Machine, length: number): void => push(m, m.cursor.text(length, "utf8"));

/** Every opcode that is understood. What is missing builds objects of arbitrary classes. */
export const OPCODES: ReadonlyMap<number, Opcode> = new Map<number, Opcode>([
  [0x80, (m) => assertProtocol(m.cursor.uint(1))], // PROTO
  [0x95, (m) => void m.cursor.uint(8)], // FRAME
  [
    0x28,
    (m) => {
      m.marks.push(m.stack);
      m.stack = [];
    },
  ], // MARK
  [0x30, (m) => void (m.stack.length > 0 ? pop(m) : popMark(m))], // POP
  [0x31, (m) => void popMark(m)], // POP_MARK
  [
    0x32,
    (m) => {
      const top = pop(m);
      m.stack.push(top, top);
    },
  ], // DUP
  [0x4e, (m) => push(m, null)], // NONE
  [0x88, (m) => push(m, true)], // NEWTRUE
  [0x89, (m) => push(m, false)], // NEWFALSE
  [0x49, (m) => push(m, integerLine(m.cursor))], // INT
  [0x4c, (m) => push(m, integerLine(m.cursor))], // LONG
  [0x4a, (m) => push(m, m.cursor.int32())], // BININT
  [0x4b, (m) => push(m, m.cursor.uint(1))], // BININT1
  [0x4d, (m) => push(m, m.cursor.uint(2))], // BININT2
  [0x8a, (m) => push(m, m.cursor.long(m.cursor.uint(1)))], // LONG1
  [0x8b, (m) => push(m, m.cursor.long(m.cursor.uint(4)))], // LONG4
  [0x46, (m) => push(m, Number(m.cursor.line()))], // FLOAT
  [0x47, (m) => push(m, m.cursor.float64())], // BINFLOAT
  [0x53, (m) => push(m, quotedLine(m.cursor))], // STRING
  [0x54, (m) => latin1(m, m.cursor.uint(4))], // BINSTRING
  [0x55, (m) => latin1(m, m.cursor.uint(1))], // SHORT_BINSTRING
  [0x56, (m) => push(m, m.cursor.line())], // UNICODE
  [0x58, (m) => utf8(m, m.cursor.uint(4))], // BINUNICODE
  [0x8c, (m) => utf8(m, m.cursor.uint(1))], // SHORT_BINUNICODE
  [0x8d, (m) => utf8(m, m.cursor.uint(8))], // BINUNICODE8
  [0x42, (m) => push(m, m.cursor.bytes(m.cursor.uint(4)))], // BINBYTES
  [0x43, (m) => push(m, m.cursor.bytes(m.cursor.uint(1)))], // SHORT_BINBYTES
  [0x8e, (m) => push(m, m.cursor.bytes(m.cursor.uint(8)))], // BINBYTES8
  [0x29, (m) => push(m, new PickleTuple([]))], // EMPTY_TUPLE
  [0x85, (m) => push(m, popTuple(m, 1))], // TUPLE1
  [0x86, (m) => push(m, popTuple(m, 2))], // TUPLE2
  [0x87, (m) => push(m, popTuple(m, 3))], // TUPLE3
  [0x74, (m) => pushOver(m, (items) => new PickleTuple(items))], // TUPLE
  [0x5d, (m) => push(m, new PickleList())], // EMPTY_LIST
  [0x6c, (m) => pushOver(m, listOf)], // LIST
  [0x61, (m) => appendTo(m, [pop(m)])], // APPEND
  [0x65, (m) => appendTo(m, popMark(m))], // APPENDS
  [0x8f, (m) => push(m, new PickleList())], // EMPTY_SET
  [0x90, (m) => appendTo(m, popMark(m))], // ADDITEMS
  [0x91, (m) => pushOver(m, listOf)], // FROZENSET
  [0x7d, (m) => push(m, new PickleDict())], // EMPTY_DICT
  [0x64, (m) => dictOf(m, popMark(m))], // DICT
  [0x73, (m) => setItems(m, popTuple(m, 2).items)], // SETITEM
  [0x75, (m) => setItems(m, popMark(m))], // SETITEMS
  [0x70, (m) => remember(m, Number(m.cursor.line()))], // PUT
  [0x71, (m) => remember(m, m.cursor.uint(1))], // BINPUT
  [0x72, (m) => remember(m, m.cursor.uint(4))], // LONG_BINPUT
  [0x94, (m) => remember(m, m.memo.size)], // MEMOIZE
  [0x67, (m) => recall(m, Number(m.cursor.line()))], // GET
  [0x68, (m) => recall(m, m.cursor.uint(1))], // BINGET
  [0x6a, (m) => recall(m, m.cursor.uint(4))], // LONG_BINGET
  [0x63, (m, at) => pushGlobal(m, m.cursor.line(), m.cursor.line(), at)], // GLOBAL
  [
    0x69,
    (m, at) => {
      pushGlobal(m, m.cursor.line(), m.cursor.line(), at);
      throw new DomainError("UNSAFE_PICKLE", `the pickle builds an object at byte ${at}; only tensors are read`);
    },
  ], // INST
  [
    0x93,
    (m, at) => {
      const [module, name] = popTuple(m, 2).items;
      pushGlobal(m, module ?? null, name ?? null, at);
    },
  ], // STACK_GLOBAL
  [0x52, (m, at) => callTop(m, at)], // REDUCE
  [0x81, (m, at) => callTop(m, at)], // NEWOBJ
  [
    0x62,
    (m, at) => {
      const state = pop(m);
      applyState(m.stack.at(-1), state, at);
    },
  ], // BUILD
  [
    0x51,
    (m, at) => {
      const storage = storageFromId(pop(m), at);
      m.storages.push(storage);
      push(m, storage);
    },
  ], // BINPERSID
]);

function pushOver(machine: Machine, build: (items: PickleValue[]) => PickleValue): void {
  const items = popMark(machine);
  push(machine, build(items));
}

function callTop(machine: Machine, position: number): void {
  const args = pop(machine);
  push(machine, buildCall(pop(machine), args, position));
}

function assertProtocol(protocol: number): void {
  if (protocol > 5) throw new DomainError("CORRUPT", `the pickle says protocol ${protocol}, there are 0 to 5`);
}
