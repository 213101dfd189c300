import type { ConfigObject } from "@parfocal/models";

/** Every rule, and lookahead around rules with and without slots of their own; the third update is one in which the slow weights follow. */
export const RULES: readonly (readonly [name: string, rule: ConfigObject])[] = [
  ["adam", { kind: "adam" }],
  ["adamw", { kind: "adamw" }],
  ["sgd", { kind: "sgd" }],
  ["radam", { kind: "radam" }],
  ["radam with lookahead", { kind: "radam", lookahead: { steps: 3, alpha: 0.4 } }],
  ["sgd with lookahead", { kind: "sgd", momentum: 0, lookahead: { steps: 3 } }],
];
