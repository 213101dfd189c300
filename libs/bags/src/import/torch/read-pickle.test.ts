import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { PickleDict, PickleList, PickleTuple, TorchTensor } from "./pickle-values.ts";
import { readPickle } from "./read-pickle.ts";
import { readTorchStateDict } from "./read-torch-state-dict.ts";

/** Bytes from text (latin-1) and numbers. */
function pickle(...parts: (string | number | readonly number[])[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from([part].flat()))),
    ),
  );
}

/** Text as SHORT_BINUNICODE. */
const text = (value: string): readonly number[] => [0x8c, Buffer.byteLength(value), ...Buffer.from(value)];
const PROTO = [0x80, 2];
const [STACK_GLOBAL, MEMOIZE, TUPLE1, EMPTY_DICT] = [0x93, 0x94, 0x85, 0x7d];

function errorOf(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (isDomainError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "none", message: "" };
}

describe("a poisoned pickle", () => {
  it.each([
    ["os.system through GLOBAL", pickle(PROTO, "cos\nsystem\n", text("id"), TUPLE1, "R."), "os.system at byte 2"],
    ["posix.system in protocol 0", pickle("cposix\nsystem\n(S'id'\ntR."), "posix.system at byte 0"],
    [
      "builtins.eval through STACK_GLOBAL",
      pickle(PROTO, text("builtins"), text("eval"), STACK_GLOBAL, text("1"), TUPLE1, "R."),
      "builtins.eval at byte 18",
    ],
    [
      "names put together from the memo",
      pickle(PROTO, text("os"), MEMOIZE, "0", text("system"), MEMOIZE, "0h\x00h\x01", STACK_GLOBAL, "."),
      "os.system at byte 22",
    ],
    [
      "a dangerous name behind a harmless one",
      pickle(PROTO, "ccollections\nOrderedDict\n0", "cbuiltins\nexec\n."),
      "builtins.exec",
    ],
    ["a nested REDUCE", pickle(PROTO, "ccollections\nOrderedDict\n((ios\nsystem\n", "tR."), "os.system"],
    ["INST", pickle("(S'id'\nios\nsystem\n."), "os.system"],
    [
      "a submodule of an allowed module",
      pickle(PROTO, "ctorch._utils\n_import_dotted_name\n."),
      "torch._utils._import_dotted_name",
    ],
    ["torch.load's own loader", pickle(PROTO, "ctorch.storage\n_load_from_bytes\n."), "torch.storage._load_from_bytes"],
    [
      "an attribute path in an allowed module",
      pickle(PROTO, text("torch"), text("FloatStorage.__class__"), STACK_GLOBAL, "."),
      "torch.FloatStorage.__class__",
    ],
    ["a name of JavaScript's own", pickle(PROTO, "ctorch\nconstructor\n."), "torch.constructor"],
  ])("is refused for %s, naming it", (_name, bytes, named) => {
    const error = errorOf(() => readPickle(bytes));
    expect(error.code).toBe("UNSAFE_PICKLE");
    expect(error.message).toContain(named);
  });

  it.each([
    ["a call of what is no function", pickle(PROTO, text("os"), ")R.")],
    ["a call of a storage class", pickle(PROTO, "ctorch\nFloatStorage\n)R.")],
    ["BUILD on text", pickle(PROTO, text("x"), EMPTY_DICT, "b.")],
    ["BUILD on an allowed global", pickle(PROTO, "ccollections\nOrderedDict\n", EMPTY_DICT, "b.")],
    ["NEWOBJ_EX", pickle(PROTO, "ccollections\nOrderedDict\n)", EMPTY_DICT, 0x92, ".")],
    ["OBJ", pickle(PROTO, "(ccollections\nOrderedDict\no.")],
    ["an extension code", pickle(PROTO, [0x82, 1], ".")],
    ["a persistent id that is no storage", pickle(PROTO, text("file"), TUPLE1, "Q.")],
    ["a global named by a number", pickle(PROTO, "K\x01K\x02", STACK_GLOBAL, ".")],
    [
      "a numpy array of objects",
      pickle(
        PROTO,
        "cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x01\x85cnumpy\ndtype\n",
        text("O8"),
        TUPLE1,
        "R\x89]tb.",
      ),
    ],
  ])("is refused for %s", (_name, bytes) => {
    expect(errorOf(() => readPickle(bytes)).code).toBe("UNSAFE_PICKLE");
  });

  it("is refused as a .pt file, too", () => {
    const bytes = pickle(PROTO, "cos\nsystem\n", text("id"), TUPLE1, "R.");
    expect(errorOf(() => readTorchStateDict(bytes)).code).toBe("UNSAFE_PICKLE");
  });
});

describe("a damaged pickle", () => {
  it.each([
    ["that ends early", pickle(PROTO, "K"), "TRUNCATED"],
    ["of bytes that are not there", pickle(PROTO, [0x8e, 255, 255, 255, 255, 255, 15, 0, 0], "x."), "TRUNCATED"],
    ["with a length beyond 2^53", pickle(PROTO, [0x8e, 255, 255, 255, 255, 255, 255, 255, 255], "."), "CORRUPT"],
    ["with text of gigabytes", pickle(PROTO, [0x58, 255, 255, 255, 127], "."), "CORRUPT"],
    ["with an integer of megabytes", pickle(PROTO, [0x8b, 0, 0, 64, 0], "."), "CORRUPT"],
    ["with an empty stack", pickle(PROTO, "."), "CORRUPT"],
    ["without a mark", pickle(PROTO, "t."), "CORRUPT"],
    ["that recalls what was not there", pickle(PROTO, "h\x07."), "CORRUPT"],
    ["with an unknown opcode", pickle(PROTO, [0xff]), "CORRUPT"],
    ["of a later protocol", pickle([0x80, 9], "N."), "CORRUPT"],
    ["whose dict has a list as key", pickle(PROTO, EMPTY_DICT, "]Ns."), "CORRUPT"],
  ])("%s is refused", (_name, bytes, code) => {
    expect(errorOf(() => readPickle(bytes)).code).toBe(code);
  });

  it("of endless opcodes is refused", () => {
    expect(errorOf(() => readPickle(new Uint8Array(1010).fill(0x4e), 0, 1000)).code).toBe("RESOURCE_EXHAUSTED");
  });

  it("may nest a hundred thousand deep or contain itself without harm", () => {
    const deep = pickle(PROTO, "]".repeat(100_000), "a".repeat(99_999), ".");
    expect(readPickle(deep).value).toBeInstanceOf(PickleList);
    const cyclic = readPickle(pickle(PROTO, "]q\x00h\x00a.")).value;
    expect(cyclic instanceof PickleList && cyclic.items[0]).toBe(cyclic);
  });
});

describe("a tensor that is a marked view", () => {
  const storage = ["(", text("storage"), "ctorch\nFloatStorage\n", text("0"), text("cpu"), "K\x04tQ"];
  const view = [...storage, "K\x00K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)R"];
  const withFlag = (start: string, flag: string, value: string, type = "") =>
    pickle(PROTO, `ctorch._utils\n${start}\n(`, ...view, type, EMPTY_DICT, text(flag), value, "stR.");
  const [yes, no] = ["\x88", "\x89"];

  it.each([
    ["_rebuild_tensor_v2", ""],
    ["_rebuild_tensor_v3", "ctorch\nfloat32\n"],
  ])("is refused when torch would negate or conjugate it (%s)", (start, type) => {
    for (const flag of ["neg", "conj"]) {
      const error = errorOf(() => readPickle(withFlag(start, flag, yes, type)));
      expect(error.code).toBe("UNSUPPORTED_FORMAT");
      expect(error.message).toContain(`(${flag})`);
      expect(readPickle(withFlag(start, flag, no, type)).value).toBeInstanceOf(TorchTensor);
    }
  });
});

describe("readPickle", () => {
  it("reads plain values", () => {
    const bytes = pickle(
      PROTO,
      "(K\x05M\x01\x02J\xff\xff\xff\xff\x8a\x02\x00\x80NI01\nI7\nL12345678901234567890L\nG\x3f\xf8\0\0\0\0\0\0",
      text("é"),
      "\x88t.",
    );
    const { value } = readPickle(bytes);
    expect(value instanceof PickleTuple && value.items.slice(0, 9)).toEqual([
      5,
      513,
      -1,
      -32768,
      null,
      true,
      7,
      12345678901234567890n,
      1.5,
    ]);
  });

  it("keeps names of JavaScript's own as plain keys", () => {
    const { value } = readPickle(pickle(PROTO, EMPTY_DICT, text("__proto__"), "K\x01s."));
    expect(value instanceof PickleDict && value.entries.get("__proto__")).toBe(1);
    expect(({} as Record<string, unknown>).items).toBeUndefined();
  });
});
