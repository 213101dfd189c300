import { broadcastShapes, type Dimension, isSameShape, isStatic } from "./dimension.ts";
import { type ProgramConstant, type ProgramNode, type ProgramOperand, type ProgramType, typeOf } from "./program.ts";
import { int } from "./recording.ts";

/** What a rewrite may look at. */
export interface Rewriter {
  readonly types: ReadonlyMap<number, ProgramType>;
  readonly constants: ReadonlyMap<number, ProgramConstant>;
  /** The (already rewritten) node behind a value. */
  producerOf(id: number): ProgramNode | undefined;
}

/** A node in place of another one, the id of a value that equals its only output, or `undefined` to leave it. */
type Rewrite = (node: ProgramNode, rewriter: Rewriter) => ProgramNode | number | undefined;

/** Elementwise operators that broadcast by themselves, so that an expanded operand is wasted work. */
const BROADCASTING = new Set([
  ...["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mod", "Where"],
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or"],
]);

const REWRITES: Readonly<Record<string, readonly Rewrite[]>> = {
  Expand: [skipSameShape, composeExpand],
  Reshape: [composeReshape, skipSameShape],
  Transpose: [composeTranspose, skipIdentityTranspose],
  Gemm: [foldTransposes],
  Mul: [skipNeutral(1)],
  Div: [skipNeutralRight(1)],
  Add: [skipNeutral(0)],
  Sub: [skipNeutralRight(0)],
};

/** The first rewrite that applies, else the node itself. */
export function rewriteNode(node: ProgramNode, rewriter: Rewriter): ProgramNode | number {
  let current = node;
  if (BROADCASTING.has(node.op)) current = skipExpands(node, rewriter);
  for (const rewrite of REWRITES[node.op] ?? []) {
    const next = rewrite(current, rewriter);
    if (typeof next === "number") return next;
    current = next ?? current;
  }
  return current;
}

function outputType(node: ProgramNode, { types }: Rewriter): ProgramType {
  return typeOf(types, node.outputs[0] ?? Number.NaN);
}

function operandId(operand: ProgramOperand | undefined): number | undefined {
  return operand?.kind === "value" ? operand.id : undefined;
}

/** The operand of `op` that produced a value, if that is what produced it. */
function producedBy(operand: ProgramOperand | undefined, op: string, rewriter: Rewriter): ProgramNode | undefined {
  const id = operandId(operand);
  const node = id === undefined ? undefined : rewriter.producerOf(id);
  return node?.op === op ? node : undefined;
}

function skipSameShape(node: ProgramNode, rewriter: Rewriter): number | undefined {
  const id = operandId(node.operands[0]);
  if (id === undefined) return undefined;
  return isSameShape(typeOf(rewriter.types, id).shape, outputType(node, rewriter).shape) ? id : undefined;
}

function composeExpand(node: ProgramNode, rewriter: Rewriter): ProgramNode | undefined {
  const inner = producedBy(node.operands[0], "Expand", rewriter);
  return inner && { ...node, operands: [inner.operands[0] ?? { kind: "none" }, ...node.operands.slice(1)] };
}

function composeReshape(node: ProgramNode, rewriter: Rewriter): ProgramNode | undefined {
  const inner = producedBy(node.operands[0], "Reshape", rewriter);
  return inner && { ...node, operands: [inner.operands[0] ?? { kind: "none" }, ...node.operands.slice(1)] };
}

function permutationOf(node: ProgramNode): readonly number[] {
  const perm = node.attributes.perm;
  return perm?.kind === "ints" ? perm.value : [];
}

function composeTranspose(node: ProgramNode, rewriter: Rewriter): ProgramNode | undefined {
  const inner = producedBy(node.operands[0], "Transpose", rewriter);
  if (inner === undefined) return undefined;
  const first = permutationOf(inner);
  const value = permutationOf(node).map((axis) => first[axis] ?? axis);
  return { ...node, operands: inner.operands, attributes: { perm: { kind: "ints", value } } };
}

function skipIdentityTranspose(node: ProgramNode): number | undefined {
  return permutationOf(node).every((axis, i) => axis === i) ? operandId(node.operands[0]) : undefined;
}

/** A transposed factor of a Gemm is a flag of the Gemm. */
function foldTransposes(node: ProgramNode, rewriter: Rewriter): ProgramNode {
  let current = node;
  for (const [position, flag] of [
    [0, "transA"],
    [1, "transB"],
  ] as const) {
    const inner = producedBy(current.operands[position], "Transpose", rewriter);
    const source = inner?.operands[0];
    if (source === undefined) continue;
    const was = current.attributes[flag];
    const attributes = { ...current.attributes, [flag]: int(was?.kind === "int" && was.value === 1 ? 0 : 1) };
    current = { ...current, attributes, operands: current.operands.with(position, source) };
  }
  return current;
}

/** Reads through what the operator does by itself: expansions, and reshapes that put axes of size 1 in front. */
function skipExpands(node: ProgramNode, rewriter: Rewriter): ProgramNode {
  let operands = node.operands;
  for (const position of operands.keys()) {
    for (
      let source = unbroadcast(operands[position], rewriter);
      source !== undefined;
      source = unbroadcast(source, rewriter)
    ) {
      const shorter = operands.with(position, source);
      if (!isSameShape(broadcastOperands(shorter, rewriter) ?? [], outputType(node, rewriter).shape)) break;
      operands = shorter;
    }
  }
  return { ...node, operands };
}

/** What an operand was before it was expanded, if it was. */
function unbroadcast(operand: ProgramOperand | undefined, rewriter: Rewriter): ProgramOperand | undefined {
  const expand = producedBy(operand, "Expand", rewriter);
  if (expand !== undefined) return expand.operands[0];
  const source = producedBy(operand, "Reshape", rewriter)?.operands[0];
  const [from, to] = [operandId(source), operandId(operand)];
  if (from === undefined || to === undefined) return undefined;
  const [before, after] = [typeOf(rewriter.types, from).shape, typeOf(rewriter.types, to).shape];
  const nAdded = after.length - before.length;
  const isPrefixed =
    nAdded > 0 && after.slice(0, nAdded).every((dim) => isStatic(dim, 1)) && isSameShape(after.slice(nAdded), before);
  return isPrefixed ? source : undefined;
}

function broadcastOperands(operands: readonly ProgramOperand[], { types }: Rewriter): Dimension[] | undefined {
  let shape: Dimension[] | undefined = [];
  for (const operand of operands) {
    const id = operandId(operand);
    if (shape === undefined || id === undefined) return undefined;
    shape = broadcastShapes(shape, typeOf(types, id).shape);
  }
  return shape;
}

function isScalar(operand: ProgramOperand | undefined, value: number, { constants, types }: Rewriter): boolean {
  const id = operandId(operand);
  const constant = id === undefined ? undefined : constants.get(id);
  if (id === undefined || constant === undefined) return false;
  return typeOf(types, id).shape.length === 0 && Number(constant.data[0]) === value;
}

function skipNeutral(neutral: number): Rewrite {
  return (node, rewriter) => {
    const [left, right] = node.operands;
    return (
      skipIf(isScalar(right, neutral, rewriter), left, node, rewriter) ??
      skipIf(isScalar(left, neutral, rewriter), right, node, rewriter)
    );
  };
}

function skipNeutralRight(neutral: number): Rewrite {
  return (node, rewriter) => skipIf(isScalar(node.operands[1], neutral, rewriter), node.operands[0], node, rewriter);
}

function skipIf(
  isNeutral: boolean,
  other: ProgramOperand | undefined,
  node: ProgramNode,
  rewriter: Rewriter,
): number | undefined {
  const id = operandId(other);
  if (!isNeutral || id === undefined) return undefined;
  return isSameShape(typeOf(rewriter.types, id).shape, outputType(node, rewriter).shape) ? id : undefined;
}
