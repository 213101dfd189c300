/**
 * Optimisers as pure functions over flat vectors. Legend: P trainable numbers of the model, all parameters end to end.
 *
 * One vector per role instead of one per parameter makes a step a dozen operations whatever the model's depth: on bags of
 * a few tiles the runtime's cost per operation, not arithmetic, is what a step costs.
 */
import { createAdam } from "./adam.ts";
import { withLookahead } from "./lookahead.ts";
import type { OptimiserConfig } from "./optimiser-config.ts";
import { createRadam } from "./radam.ts";
import { createSgd } from "./sgd.ts";
import type { UpdateRule } from "./update-rule.ts";

/** An optimiser: the rule of a configuration. */
export interface Optimiser extends UpdateRule {
  readonly config: OptimiserConfig;
}

/** The optimiser of a configuration. */
export function createOptimiser(config: OptimiserConfig): Optimiser {
  const { lookahead } = config;
  const rule = createRule(config);
  return { config, ...(lookahead === undefined ? rule : withLookahead(rule, lookahead)) };
}

function createRule(config: OptimiserConfig): UpdateRule {
  switch (config.kind) {
    case "sgd":
      return createSgd(config);
    case "radam":
      return createRadam(config);
    default:
      return createAdam(config);
  }
}
