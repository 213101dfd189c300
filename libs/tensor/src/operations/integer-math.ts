import type { Recorder } from "../capture/recorder.ts";
import { dims, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";

/**
 * Whole-number arithmetic over `T`: numbers, or i64 vectors of a graph. One formula written against it is both what an eager
 * run computes and what a captured graph does for every size. Division and remainder are those of non-negative numbers.
 */
export interface IntegerMath<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  /** ⌊a / b⌋. */
  div(a: T, b: T): T;
  mod(a: T, b: T): T;
  /** 1 where a < b, else 0. */
  less(a: T, b: T): T;
  /** ⌈√a⌉ of numbers from 1 up, exact below 2³¹. */
  ceilSqrt(a: T): T;
}

/** A `T` for each size of `From`. */
type EachSize<From extends readonly number[], T> = { readonly [Place in keyof From]: T };

/** A formula over as many whole numbers as `From` has. */
export type IntegerFormula<From extends readonly number[]> = <T>(math: IntegerMath<T>, sizes: EachSize<From, T>) => T;

/** What `of` makes of each size. */
export function eachSize<From extends readonly number[], T>(from: From, of: (size: number) => T): EachSize<From, T> {
  // `map` keeps the length, which its type does not know.
  return from.map(of) as readonly T[] as EachSize<From, T>;
}

/** Arithmetic on numbers. */
export const numberMath: IntegerMath<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.floor(a / b),
  mod: (a, b) => a % b,
  less: (a, b) => Number(a < b),
  ceilSqrt: (a) => correctedRoot(numberMath, a, Math.ceil(Math.sqrt(a))),
};

/**
 * ⌈√a⌉ from a guess that is off by one at most: square roots of a runtime may be rounded either way, and from 2²⁴ on f32 does
 * not hold every whole number.
 */
function correctedRoot<T>(math: IntegerMath<T>, a: T, guess: T): T {
  const one = math.constant(1);
  const atLeast = math.add(guess, math.less(math.mul(guess, guess), a));
  const below = math.sub(atLeast, one);
  // One less is enough when its square is not below a.
  return math.sub(atLeast, math.sub(one, math.less(math.mul(below, below), a)));
}

/** Arithmetic on i64 vectors of the graph being recorded; `[1]` broadcasts. */
export function createGraphMath(recorder: Recorder): IntegerMath<RecordedValue> {
  const binary = (op: string, a: RecordedValue, b: RecordedValue, dtype: "i64" | "bool" = "i64"): RecordedValue => {
    const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
    return recorder.emit(op, [a, b], { dtype, shape });
  };
  const cast = (x: RecordedValue, dtype: "i64" | "f32"): RecordedValue =>
    recorder.emit("Cast", [x], { dtype, shape: x.shape });
  const math: IntegerMath<RecordedValue> = {
    constant: (value) => recorder.constant(BigInt64Array.of(BigInt(value)), { dtype: "i64", shape: [1] }),
    add: (a, b) => binary("Add", a, b),
    sub: (a, b) => binary("Sub", a, b),
    mul: (a, b) => binary("Mul", a, b),
    div: (a, b) => binary("Div", a, b),
    mod: (a, b) => binary("Mod", a, b),
    less: (a, b) => cast(binary("Less", a, b, "bool"), "i64"),
    ceilSqrt(a) {
      const root = recorder.emit("Sqrt", [cast(a, "f32")], { dtype: "f32", shape: a.shape });
      const guess = cast(recorder.emit("Ceil", [root], { dtype: "f32", shape: a.shape }), "i64");
      return correctedRoot(math, a, guess);
    },
  };
  return math;
}

/** A size as an i64 vector `[1]` of the graph being recorded: a number, or whatever the run's symbols make of it. */
export function sizeVector(recorder: Recorder, size: number): RecordedValue {
  return recorder.emit("Identity", [dims([size])], { dtype: "i64", shape: [1] });
}

/** 0, 1, ... as an i64 vector `[size]` of the graph being recorded. */
export function countVector(recorder: Recorder, size: number): RecordedValue {
  const end = recorder.emit("Reshape", [dims([size]), dims([])], { dtype: "i64", shape: [] });
  const [zero, one] = [0n, 1n].map((value) => recorder.constant(BigInt64Array.of(value), { dtype: "i64", shape: [] }));
  return recorder.emit("Range", [zero, end, one], { dtype: "i64", shape: [size] });
}
