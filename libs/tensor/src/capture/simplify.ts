import type { Program, ProgramNode, ProgramOperand } from "./program.ts";
import { valueOperand } from "./program.ts";
import { type Rewriter, rewriteNode } from "./rewrites.ts";

/**
 * The same program with fewer nodes: local rewrites, equal nodes and equal constants merged, and whatever no output needs
 * dropped. Values are unchanged up to the sign of zero.
 */
export function simplifyProgram(program: Program): Program {
  return dropDead(mergeEqual(program));
}

function mergeEqual(program: Program): Program {
  const aliases = new Map<number, number>();
  const producers = new Map<number, ProgramNode>();
  const known = new Map<string, ProgramNode>();
  const types = new Map(program.types);
  const nodes: ProgramNode[] = [];
  const resolve = (id: number): number => aliases.get(id) ?? id;
  mergeConstants(program, aliases);
  const rewriter: Rewriter = { types, constants: program.constants, producerOf: (id) => producers.get(id) };
  for (const recorded of program.nodes) {
    const node = rewriteNode(
      { ...recorded, operands: recorded.operands.map((operand) => resolveOperand(operand, resolve)) },
      rewriter,
    );
    if (typeof node === "number") {
      for (const output of recorded.outputs) aliases.set(output, node);
      continue;
    }
    const key = nodeKey(node, types);
    const twin = known.get(key);
    if (twin !== undefined) {
      node.outputs.forEach((output, i) => void aliases.set(output, twin.outputs[i] ?? output));
      continue;
    }
    known.set(key, node);
    nodes.push(node);
    for (const output of node.outputs) producers.set(output, node);
  }
  const outputs = new Map([...program.outputs].map(([name, id]) => [name, resolve(id)]));
  const derived = new Map([...program.derived].map(([symbol, id]) => [symbol, resolve(id)]));
  return { ...program, types, nodes, derived, outputs };
}

function resolveOperand(operand: ProgramOperand, resolve: (id: number) => number): ProgramOperand {
  return operand.kind === "value" ? valueOperand(resolve(operand.id)) : operand;
}

/** What makes two nodes equal. The types of the outputs belong to it: they are what a Cast casts to. */
function nodeKey({ op, domain, attributes, operands, outputs }: ProgramNode, types: Program["types"]): string {
  return JSON.stringify([op, domain, attributes, operands, outputs.map((id) => types.get(id)?.dtype)]);
}

/** Constants above this are compared by identity of their storage only: hashing megabytes costs more than it saves. */
const MAX_COMPARED_BYTES = 65_536;

function mergeConstants({ constants, types }: Program, aliases: Map<number, number>): void {
  const known = new Map<string, number>();
  for (const [id, { data, name }] of constants) {
    if (name !== undefined || data.byteLength > MAX_COMPARED_BYTES) continue;
    const type = types.get(id);
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    const key = JSON.stringify([type?.dtype, type?.shape, bytes]);
    const twin = known.get(key);
    if (twin === undefined) known.set(key, id);
    else aliases.set(id, twin);
  }
}

/** The values an operand needs: itself, or those that hold the derived sizes among its dimensions. */
function readsOf(operand: ProgramOperand, { derived }: Program): number[] {
  if (operand.kind === "value") return [operand.id];
  if (operand.kind === "none") return [];
  const symbols = operand.dims.flatMap(({ terms }) => terms.flatMap((term) => term.symbols));
  return symbols.flatMap((symbol) => derived.get(symbol) ?? []);
}

function dropDead(program: Program): Program {
  const live = new Set(program.outputs.values());
  const nodes: ProgramNode[] = [];
  for (const node of program.nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output))) continue;
    nodes.push(node);
    for (const operand of node.operands) for (const id of readsOf(operand, program)) live.add(id);
  }
  const constants = new Map([...program.constants].filter(([id]) => live.has(id)));
  return { ...program, constants, nodes: nodes.toReversed() };
}
