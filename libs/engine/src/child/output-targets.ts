import { DomainError } from "@parfocal/errors";
import type { OutputRows } from "../engine-port.ts";
import type { WireGraph, WireRun } from "../wire.ts";
import { Tensor } from "./onnxruntime.ts";
import type { Residents } from "./residents.ts";

/**
 * Where the runtime puts the outputs of a run: `null` for memory of its own; rows of a resident tensor for outputs that are parts of
 * one, which the first of them makes.
 *
 * @throws {DomainError} INVALID_ARGUMENT when a part is not f32, leaves its tensor, or has rows of another width
 * @throws {DomainError} STATE_LOST when the tensor that it is part of is gone
 */
export function outputTargets(
  graph: WireGraph,
  run: WireRun,
  residents: Pick<Residents, "get" | "set">,
): Record<string, Tensor | null> {
  const targets: Record<string, Tensor | null> = {};
  for (const [name, sink] of Object.entries(run.fetches)) {
    const isPart = sink.kind === "resident" && sink.rows !== undefined;
    targets[name] = isPart ? part(graph, name, sink.name, sink.rows, residents) : null;
  }
  return targets;
}

function part(
  { outputs }: WireGraph,
  output: string,
  resident: string,
  { first, count, total }: OutputRows,
  residents: Pick<Residents, "get" | "set">,
): Tensor {
  const port = outputs.find(({ name }) => name === output);
  const row = (port?.shape.slice(1) ?? []).map(Number);
  const width = row.reduce((product, size) => product * size, 1);
  if (port?.dtype !== "f32" || !Number.isInteger(width) || first + count > total) {
    const text = `rows ${first} to ${first + count} of ${total} from a ${port?.dtype} output [${port?.shape.join(", ")}]`;
    throw new DomainError("INVALID_ARGUMENT", `"${resident}" cannot be made of ${text}`);
  }
  if (first === 0) residents.set(resident, new Tensor("float32", new Float32Array(total * width), [total, ...row]));
  const { data, dims } = residents.get(resident);
  if (!(data instanceof Float32Array) || dims[0] !== total || data.length !== total * width) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `"${resident}" is [${dims.join(", ")}], not ${total} rows of ${width} in f32`,
    );
  }
  return new Tensor("float32", data.subarray(first * width, (first + count) * width), [count, ...row]);
}
