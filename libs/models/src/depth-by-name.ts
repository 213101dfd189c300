import type { DepthRule } from "./model.ts";
import type { ParameterSpec } from "./parameter.ts";

/** The depth of parameters that are named as is usual here: `blocks.<i>` in their order, then `norm`. */
export function depthByName(parameters: readonly Pick<ParameterSpec, "name">[]): DepthRule {
  const indices = parameters.flatMap(({ name }) => /^blocks\.(\d+)\./u.exec(name)?.slice(1) ?? []);
  const nBlocks = 1 + Math.max(-1, ...indices.map(Number));
  return { blocks: Array.from({ length: nBlocks }, (_, i) => `blocks.${i}`), output: ["norm"] };
}
