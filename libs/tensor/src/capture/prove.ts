import { DomainError } from "@parfocal/errors";
import { type Dimension, dimensionFromPair, type Sentinel } from "./dimension.ts";
import type { Program, ProgramConstant, ProgramNode, ProgramOperand, ProgramType } from "./program.ts";
import { valueOperand } from "./program.ts";
import {
  type ConstantData,
  isDimsOperand,
  type RecordedConstant,
  type RecordedNode,
  type RecordedOperand,
  type RecordedValue,
  type Recording,
} from "./recording.ts";

/**
 * Merges two recordings of one build function, made with different sentinels, into one program that is valid for every
 * value of the symbols. Walks both node by node: operations, wiring, types and attributes must be equal, and every number
 * that differs must be a function of the symbols that explains both.
 *
 * @throws {DomainError} UNSUPPORTED_OPERATION naming the operation where the recordings part.
 */
export function proveProgram(first: Recording, second: Recording, sentinels: readonly Sentinel[]): Program {
  const merger = createMerger(sentinels, readersOf(first.nodes));
  zip(first.inputs, second.inputs, "graph inputs").forEach(([a, b]) => void merger.mergeType(a, b, "graph input"));
  zip(first.constants, second.constants, "constants").forEach(([a, b]) => void merger.mergeConstant(a, b));
  zip(first.nodes, second.nodes, partingSource(first.nodes, second.nodes)).forEach(
    ([a, b]) => void merger.mergeNode(a, b),
  );
  const outputs = new Map(
    zip([...first.outputs], [...second.outputs], "graph outputs").map(([[name, value], [otherName, other]]) => {
      if (name !== otherName || value.id !== other.id)
        throw unexplained(`output ${name}`, "another capture has another result in its place");
      return [name, value.id];
    }),
  );
  const derived = new Map(
    zip([...first.derived], [...second.derived], "derived sizes").map(([[symbol, value], [otherSymbol, other]]) => {
      if (symbol !== otherSymbol || value.id !== other.id)
        throw unexplained(`size ${symbol}`, "another capture derives another size in its place");
      return [symbol, value.id];
    }),
  );
  return { ...merger.program, inputs: first.inputs.map(({ id }) => id), derived, outputs };
}

/** The first operation that reads each value: constants are made by nobody, so their reader names them. */
function readersOf(nodes: readonly RecordedNode[]): Map<number, string> {
  const readers = new Map<number, string>();
  for (const { operands, source } of nodes.toReversed()) {
    for (const operand of operands)
      if (operand !== undefined && !isDimsOperand(operand)) readers.set(operand.id, source);
  }
  return readers;
}

/** Fills at least this large become an expanded scalar even when their shape is static. */
const MIN_FILL_BYTES = 64;

type PartialProgram = Omit<Program, "inputs" | "derived" | "outputs">;

function createMerger(sentinels: readonly Sentinel[], readers: ReadonlyMap<number, string>) {
  const types = new Map<number, ProgramType>();
  const constants = new Map<number, ProgramConstant>();
  const nodes: ProgramNode[] = [];
  // Ids of helper values are negative: they can never meet a recorded one.
  let nextHelperId = -1;
  const program: PartialProgram = { types, constants, nodes };

  function mergeShape(a: readonly number[], b: readonly number[], source: string): Dimension[] {
    return zip(a, b, source).map(([x, y]) => {
      const dimension = dimensionFromPair(x, y, sentinels);
      if (dimension === undefined)
        throw unexplained(source, `a dimension is ${x} where ${describe(0)} and ${y} where ${describe(1)}`);
      return dimension;
    });
  }

  function describe(recording: 0 | 1): string {
    return sentinels.map(({ symbol, values }) => `${symbol} = ${values[recording]}`).join(", ");
  }

  function mergeType(a: RecordedValue, b: RecordedValue, source: string): ProgramType {
    if (a.dtype !== b.dtype || a.id !== b.id)
      throw unexplained(source, "its values differ in type or order between two captures");
    const type = { dtype: a.dtype, shape: mergeShape(a.shape, b.shape, source) };
    types.set(a.id, type);
    return type;
  }

  function addScalar(data: ConstantData, dtype: ProgramType["dtype"]): number {
    const id = nextHelperId--;
    types.set(id, { dtype, shape: [] });
    constants.set(id, { data, name: undefined });
    return id;
  }

  function addFill(value: RecordedValue, data: ConstantData, shape: readonly Dimension[], source: string): void {
    const scalar = addScalar(data.slice(0, 1), value.dtype);
    const operands: ProgramOperand[] = [valueOperand(scalar), { kind: "dims", dims: shape }];
    nodes.push({ op: "Expand", domain: "", attributes: {}, operands, outputs: [value.id], source });
  }

  function mergeConstant(a: RecordedConstant, b: RecordedConstant): void {
    const source = readers.get(a.value.id) ?? "graph";
    const { shape } = mergeType(a.value, b.value, source);
    const isDynamic = shape.some(({ terms }) => terms.length > 0);
    const isFilled = (isDynamic || a.data.byteLength >= MIN_FILL_BYTES) && a.name === undefined && isUniform(a.data);
    if (isFilled && isUniform(b.data) && isSameData(a.data.slice(0, 1), b.data.slice(0, 1))) {
      addFill(a.value, a.data, shape, source);
    } else if (!isDynamic && isSameData(a.data, b.data)) {
      constants.set(a.value.id, { data: a.data, name: a.name });
    } else {
      const [first, second] = [String(a.data[0]), String(b.data[0])];
      const what = `a constant of ${a.data.length} elements, first ${first}`;
      throw unexplained(source, `${what}, follows from a symbolic dimension (${second} in another capture)`);
    }
  }

  function mergeOperand(a: RecordedOperand, b: RecordedOperand, source: string): ProgramOperand {
    if (a === undefined && b === undefined) return { kind: "none" };
    if (isDimsOperand(a) && isDimsOperand(b)) return { kind: "dims", dims: mergeShape(a.dims, b.dims, source) };
    if (a === undefined || b === undefined || isDimsOperand(a) || isDimsOperand(b) || a.id !== b.id) {
      throw unexplained(source, "it reads different values in two captures");
    }
    return valueOperand(a.id);
  }

  function mergeNode(a: RecordedNode, b: RecordedNode): void {
    if (a.op !== b.op || a.domain !== b.domain || a.source !== b.source) {
      throw unexplained(a.source, `another capture has ${b.source} in its place`);
    }
    if (JSON.stringify(a.attributes) !== JSON.stringify(b.attributes)) {
      throw unexplained(
        a.source,
        `attributes ${JSON.stringify(a.attributes)} become ${JSON.stringify(b.attributes)} in another capture`,
      );
    }
    zip(a.outputs, b.outputs, a.source).forEach(([x, y]) => void mergeType(x, y, a.source));
    const operands = zip(a.operands, b.operands, a.source).map(([x, y]) => mergeOperand(x, y, a.source));
    const { op, domain, attributes, source } = a;
    nodes.push({ op, domain, attributes, operands, outputs: a.outputs.map(({ id }) => id), source });
  }

  return { program, mergeType, mergeConstant, mergeNode };
}

function unexplained(source: string, detail: string): DomainError {
  return new DomainError(
    "UNSUPPORTED_OPERATION",
    `${source}: the captured graph would hold only for one size of the symbolic dimensions: ${detail}`,
    { details: { operation: source } },
  );
}

function partingSource(a: readonly RecordedNode[], b: readonly RecordedNode[]): string {
  const index = a.findIndex((node, i) => node.source !== b[i]?.source);
  return a[index]?.source ?? b[a.length]?.source ?? "graph";
}

function zip<T>(a: readonly T[], b: readonly T[], source: string): [T, T][] {
  if (a.length !== b.length)
    throw unexplained(source, `it takes ${a.length} parts in one capture and ${b.length} in another`);
  return a.map((x, i) => [x, b[i] as T]);
}

function isUniform(data: ConstantData): boolean {
  const first = data[0];
  return data.length > 0 && data.every((element: number | bigint) => Object.is(element, first));
}

function isSameData(a: ConstantData, b: ConstantData): boolean {
  if (a === b) return true;
  if (a.byteLength !== b.byteLength) return false;
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf(data: ConstantData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
