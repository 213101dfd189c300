import { tf } from "../tf.ts";
import { bool, f32, i32, type OpCase } from "./op-case.ts";

const positive = { x: f32([3, 4], 0.2, 3) };
const inside = { x: f32([3, 4], -0.9, 0.9) };
const any = { x: f32([3, 4], -3, 3) };
const pair = { a: f32([3, 4], -2, 2), b: f32([3, 4], -2, 2) };
const row = { a: f32([3, 4], -2, 2), b: f32([4], 0.5, 2) };
const column = { a: f32([3, 1], -2, 2), b: f32([2, 1, 4], 0.5, 2) };
const whole = { a: i32([4, 5], -20, 20), b: i32([4, 5], 1, 7) };
const none: Pick<OpCase, "by"> = { by: [] };

/** Elementwise operations: one line each. */
export const elementwiseCases: readonly OpCase[] = [
  { name: "abs", inputs: any, f: ({ x }) => tf.abs(x!) },
  { name: "acos", inputs: inside, f: ({ x }) => tf.acos(x!) },
  { name: "acosh", inputs: { x: f32([5], 1.2, 4) }, f: ({ x }) => tf.acosh(x!) },
  { name: "asin", inputs: inside, f: ({ x }) => tf.asin(x!) },
  { name: "asinh", inputs: any, f: ({ x }) => tf.asinh(x!) },
  { name: "atan", inputs: any, f: ({ x }) => tf.atan(x!) },
  { name: "atanh", inputs: inside, f: ({ x }) => tf.atanh(x!) },
  { name: "cos", inputs: any, f: ({ x }) => tf.cos(x!) },
  { name: "cosh", inputs: any, f: ({ x }) => tf.cosh(x!) },
  { name: "sin", inputs: any, f: ({ x }) => tf.sin(x!) },
  { name: "sinh", inputs: any, f: ({ x }) => tf.sinh(x!) },
  { name: "tan", inputs: inside, f: ({ x }) => tf.tan(x!) },
  { name: "tanh", inputs: any, f: ({ x }) => tf.tanh(x!) },
  { name: "erf", inputs: any, f: ({ x }) => tf.erf(x!) },
  { name: "exp", inputs: any, f: ({ x }) => tf.exp(x!) },
  { name: "expm1", inputs: any, f: ({ x }) => tf.expm1(x!) },
  { name: "log", inputs: positive, f: ({ x }) => tf.log(x!) },
  { name: "log1p", inputs: positive, f: ({ x }) => tf.log1p(x!) },
  { name: "neg", inputs: any, f: ({ x }) => tf.neg(x!) },
  { name: "reciprocal", inputs: positive, f: ({ x }) => tf.reciprocal(x!) },
  { name: "sqrt", inputs: positive, f: ({ x }) => tf.sqrt(x!) },
  { name: "rsqrt", inputs: positive, f: ({ x }) => tf.rsqrt(x!) },
  { name: "square", inputs: any, f: ({ x }) => tf.square(x!) },
  { name: "sign", inputs: any, f: ({ x }) => tf.sign(x!) },
  { name: "ceil", inputs: any, f: ({ x }) => tf.ceil(x!) },
  { name: "floor", inputs: any, f: ({ x }) => tf.floor(x!) },
  { name: "round", inputs: any, f: ({ x }) => tf.round(x!) },
  { name: "elu", inputs: any, f: ({ x }) => tf.elu(x!) },
  { name: "relu", inputs: any, f: ({ x }) => tf.relu(x!) },
  { name: "relu6", inputs: { x: f32([3, 4], -3, 9) }, f: ({ x }) => tf.relu6(x!) },
  { name: "leakyRelu", inputs: any, f: ({ x }) => tf.leakyRelu(x!, 0.1) },
  { name: "prelu", inputs: { x: f32([3, 4], -3, 3), a: f32([4], 0.1, 0.4) }, f: ({ x, a }) => tf.prelu(x!, a!) },
  { name: "selu", inputs: any, f: ({ x }) => tf.selu(x!) },
  { name: "sigmoid", inputs: any, f: ({ x }) => tf.sigmoid(x!) },
  { name: "softplus", inputs: any, f: ({ x }) => tf.softplus(x!) },
  { name: "step", inputs: any, f: ({ x }) => tf.step(x!), ...none },
  { name: "step with a slope", inputs: any, f: ({ x }) => tf.step(x!, 0.5), ...none },
  { name: "clipByValue", inputs: any, f: ({ x }) => tf.clipByValue(x!, -1, 1.5) },
  { name: "isNaN", inputs: { x: f32([4], -1, 1) }, f: ({ x }) => tf.isNaN(tf.log(x!)), ...none },
  { name: "isInf", inputs: { x: i32([6], 0, 2) }, f: ({ x }) => tf.isInf(tf.log(tf.cast(x!, "float32"))), ...none },
  {
    name: "isFinite",
    inputs: { x: i32([6], -1, 2) },
    f: ({ x }) => tf.isFinite(tf.log(tf.cast(x!, "float32"))),
    ...none,
  },

  { name: "add", inputs: pair, f: ({ a, b }) => tf.add(a!, b!) },
  { name: "add a row", inputs: row, f: ({ a, b }) => tf.add(a!, b!) },
  { name: "sub a row", inputs: row, f: ({ a, b }) => tf.sub(a!, b!) },
  { name: "mul across ranks", inputs: column, f: ({ a, b }) => tf.mul(a!, b!) },
  { name: "div by a row", inputs: row, f: ({ a, b }) => tf.div(a!, b!) },
  { name: "div across ranks", inputs: column, f: ({ a, b }) => tf.div(a!, b!) },
  { name: "pow", inputs: { a: f32([3, 4], 0.3, 2), b: f32([4], -2, 2) }, f: ({ a, b }) => tf.pow(a!, b!) },
  { name: "maximum", inputs: pair, f: ({ a, b }) => tf.maximum(a!, b!) },
  { name: "minimum", inputs: pair, f: ({ a, b }) => tf.minimum(a!, b!) },
  { name: "squaredDifference", inputs: pair, f: ({ a, b }) => tf.squaredDifference(a!, b!) },
  { name: "mod", inputs: row, f: ({ a, b }) => tf.mod(a!, b!) },
  { name: "mod of integers", inputs: whole, f: ({ a, b }) => tf.mod(a!, b!) },
  { name: "floorDiv of integers", inputs: whole, f: ({ a, b }) => tf.floorDiv(a!, b!) },
  { name: "addN", inputs: pair, f: ({ a, b }) => tf.addN([a!, b!, a!]) },
  { name: "arithmetic of integers", inputs: whole, f: ({ a, b }) => tf.sub(tf.mul(a!, b!), tf.maximum(a!, b!)) },

  { name: "equal", inputs: { a: i32([9], 0, 3), b: i32([9], 0, 3) }, f: ({ a, b }) => tf.equal(a!, b!) },
  { name: "notEqual", inputs: { a: i32([9], 0, 3), b: i32([9], 0, 3) }, f: ({ a, b }) => tf.notEqual(a!, b!) },
  { name: "greater", inputs: row, f: ({ a, b }) => tf.greater(a!, b!), ...none },
  { name: "greaterEqual", inputs: whole, f: ({ a, b }) => tf.greaterEqual(a!, b!) },
  { name: "less", inputs: row, f: ({ a, b }) => tf.less(a!, b!), ...none },
  { name: "lessEqual", inputs: whole, f: ({ a, b }) => tf.lessEqual(a!, b!) },
  { name: "logicalAnd", inputs: { a: bool([9]), b: bool([9]) }, f: ({ a, b }) => tf.logicalAnd(a!, b!) },
  { name: "logicalOr", inputs: { a: bool([9]), b: bool([9]) }, f: ({ a, b }) => tf.logicalOr(a!, b!) },
  { name: "logicalXor", inputs: { a: bool([9]), b: bool([9]) }, f: ({ a, b }) => tf.logicalXor(a!, b!) },
  { name: "logicalNot", inputs: { a: bool([9]) }, f: ({ a }) => tf.logicalNot(a!) },
  { name: "where", inputs: { c: bool([3, 4]), ...pair }, f: ({ c, a, b }) => tf.where(c!, a!, b!) },
  { name: "where with a row", inputs: { c: bool([4]), ...row }, f: ({ c, a, b }) => tf.where(c!, a!, b!) },
  {
    name: "where of booleans",
    inputs: { c: bool([9]), a: bool([9]), b: bool([9]) },
    f: ({ c, a, b }) => tf.where(c!, a!, b!),
  },
  { name: "cast to int32", inputs: any, f: ({ x }) => tf.cast(x!, "int32"), ...none },
  { name: "cast to bool", inputs: { x: i32([9], -1, 2) }, f: ({ x }) => tf.cast(x!, "bool") },
  { name: "cast of booleans", inputs: { x: bool([9]) }, f: ({ x }) => tf.cast(x!, "float32") },
];
