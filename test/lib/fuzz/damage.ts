import fc from "fast-check";

/** One change of a file's bytes. Places are shares of the length, so that a change says something about files of any size. */
type Change =
  /** Some bits of a byte are others. */
  | { readonly kind: "flip"; readonly at: number; readonly mask: number }
  /** The rest is gone. */
  | { readonly kind: "cut"; readonly at: number }
  /** A span is gone. */
  | { readonly kind: "remove"; readonly at: number; readonly length: number }
  /** A span stands there twice. */
  | { readonly kind: "repeat"; readonly at: number; readonly length: number }
  /** A span of another file stands there. */
  | { readonly kind: "splice"; readonly at: number; readonly from: number; readonly length: number }
  /** A number stands there, as lengths and offsets do. */
  | {
      readonly kind: "number";
      readonly at: number;
      readonly value: bigint;
      readonly bytes: 1 | 2 | 4 | 8;
      readonly isLittle: boolean;
    }
  /** The next digits of a text are others. */
  | { readonly kind: "digits"; readonly at: number; readonly text: string }
  /** Something follows the end. */
  | { readonly kind: "append"; readonly bytes: Uint8Array };

/** What is done to a file, in order. */
export type Damage = readonly Change[];

/** Values at which lengths, offsets and counts go wrong. */
const NUMBERS = [
  ...[0n, 1n, 2n, 7n, 8n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn],
  ...[2n ** 24n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n],
];
const DIGITS = [
  "0",
  "-1",
  "1e9",
  "4294967296",
  "9007199254740993",
  "999999999999999999999",
  "0.5",
  "NaN",
  "null",
  '"x"',
];

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const span = fc.integer({ min: 1, max: 64 });

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), at: place, mask: fc.integer({ min: 1, max: 255 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const), at: place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: place, length: span }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("repeat" as const), at: place, length: span }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("splice" as const), at: place, from: place, length: span }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("number" as const),
      at: place,
      value: fc.constantFrom(...NUMBERS),
      bytes: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
      isLittle: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("digits" as const), at: place, text: fc.constantFrom(...DIGITS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
    }),
  },
);

/** One to four changes. */
export const anyDamage: fc.Arbitrary<Damage> = fc.array(change, { minLength: 1, maxLength: 4 });

/** The bytes after the damage; `other` is where splices come from. */
export function damaged(bytes: Uint8Array, damage: Damage, other: Uint8Array): Uint8Array {
  return damage.reduce((current, each) => apply(current, each, other), new Uint8Array(bytes) as Uint8Array);
}

function apply(bytes: Uint8Array, change: Change, other: Uint8Array): Uint8Array {
  if (change.kind === "append") return Buffer.concat([bytes, change.bytes]);
  const at = Math.floor(change.at * bytes.length);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (change.kind) {
    case "flip":
      return Buffer.concat([head, tail.map((byte, i) => (i === 0 ? byte ^ change.mask : byte))]);
    case "cut":
      return head;
    case "remove":
      return Buffer.concat([head, tail.subarray(change.length)]);
    case "repeat":
      return Buffer.concat([head, tail.subarray(0, change.length), tail]);
    case "splice": {
      const from = Math.floor(change.from * other.length);
      return Buffer.concat([head, other.subarray(from, from + change.length), tail.subarray(change.length)]);
    }
    case "number":
      return Buffer.concat([head, encoded(change).subarray(0, tail.length), tail.subarray(change.bytes)]);
    case "digits":
      return withDigits(bytes, at, change.text);
  }
}

function encoded({ value, bytes, isLittle }: Extract<Change, { kind: "number" }>): Buffer {
  const little = Buffer.alloc(8);
  little.writeBigUInt64LE(value);
  const kept = little.subarray(0, bytes);
  return isLittle ? kept : Buffer.from(kept).reverse();
}

/** The first number at or after `at` in a text of bytes becomes another one. */
function withDigits(bytes: Uint8Array, at: number, text: string): Uint8Array {
  const found = /\d+/.exec(Buffer.from(bytes.subarray(at)).toString("latin1"));
  if (found === null) return bytes;
  const start = at + found.index;
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(text), bytes.subarray(start + found[0].length)]);
}
