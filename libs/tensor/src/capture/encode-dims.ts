import { DomainError } from "@parfocal/errors";
import {
  AttributeProto_AttributeType,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
} from "../gen/onnx/onnx.ts";
import type { GraphPort } from "../graph.ts";
import { type Dimension, type DimTerm, formatDimension } from "./dimension.ts";

/** Writes dimension vectors: constants where they are static, else shape arithmetic on the graph's inputs. */
export interface DimsEncoder {
  /** Name of an i64 vector. `mayInfer` allows -1 in place of one symbolic element, as Reshape takes it. */
  encode(dims: readonly Dimension[], mayInfer: boolean): string;
  /** What was written so far, in order; each goes before the node that first needed it. */
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
}

/**
 * An encoder whose symbols are read off the shapes of `inputs`, or from the named values of `derived` symbols. Equal vectors are
 * written once.
 */
export function createDimsEncoder(inputs: readonly GraphPort[], derived: ReadonlyMap<string, string>): DimsEncoder {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const known = new Map<string, string>();

  function once(key: string, write: (name: string) => void): string {
    const name = known.get(key) ?? `dims:${key}`;
    if (!known.has(key)) {
      known.set(key, name);
      write(name);
    }
    return name;
  }

  function constantVector(values: readonly number[]): string {
    return once(`[${values.join(",")}]`, (name) => {
      const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
      initializers.push({ name, dataType: TensorProto_DataType.INT64, dims: [BigInt(values.length)], rawData });
    });
  }

  function symbolVector(symbol: string): string {
    const value = derived.get(symbol);
    if (value !== undefined) return value;
    return once(symbol, (name) => {
      const port = inputs.find(({ shape }) => shape.includes(symbol));
      if (port === undefined) throw new DomainError("INTERNAL", `no input has the dimension ${symbol}`);
      const axis = port.shape.indexOf(symbol);
      const attribute = [intAttribute("start", axis), intAttribute("end", axis + 1)];
      nodes.push({ opType: "Shape", name, input: [port.name], output: [name], attribute });
    });
  }

  function combine(op: string, key: string, input: readonly string[]): string {
    return once(key, (name) => void nodes.push({ opType: op, name, input, output: [name] }));
  }

  function termVector({ factor, symbols }: DimTerm): string {
    const [first = "", ...others] = symbols;
    let name = symbolVector(first);
    let key = first;
    for (const symbol of others) {
      key = `${key}*${symbol}`;
      name = combine("Mul", key, [name, symbolVector(symbol)]);
    }
    return factor === 1 ? name : combine("Mul", `${factor}*${key}`, [name, constantVector([factor])]);
  }

  function elementVector(dim: Dimension): string {
    if (dim.terms.length === 0) return constantVector([dim.constant]);
    const parts = [...dim.terms.map(termVector), ...(dim.constant === 0 ? [] : [constantVector([dim.constant])])];
    const key = String(formatDimension(dim));
    return parts.reduce((sum, part, i) => combine("Add", i === parts.length - 1 ? key : `${key}#${i}`, [sum, part]));
  }

  return {
    nodes,
    initializers,
    encode(dims, mayInfer) {
      const isDynamic = dims.map(({ terms }) => terms.length > 0);
      const nDynamic = isDynamic.filter(Boolean).length;
      if (nDynamic === 0 || (mayInfer && nDynamic === 1)) {
        return constantVector(dims.map(({ constant }, i) => (isDynamic[i] ? -1 : constant)));
      }
      const [only] = dims;
      if (dims.length === 1 && only !== undefined) return elementVector(only);
      const key = `[${dims.map(formatDimension).join(",")}]`;
      return once(key, (name) => {
        const input = dims.map(elementVector);
        nodes.push({ opType: "Concat", name, input, output: [name], attribute: [intAttribute("axis", 0)] });
      });
    },
  };
}

function intAttribute(name: string, value: number) {
  return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) };
}
