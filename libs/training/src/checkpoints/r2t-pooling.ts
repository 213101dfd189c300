import type { ConfigObject } from "@parfocal/models";
import { type ForeignTensors, type SettingReader, shapeOf } from "./layout.ts";

const POOLING = "pool_fn.attention";

/** The attention pooling of an R2T checkpoint. */
interface ForeignPooling {
  readonly head: ConfigObject;
  /** Our names of layers and theirs. */
  readonly layers: readonly (readonly [string, string])[];
  /** Tensors that change nothing: a bias of the scores cancels in their softmax. */
  readonly idle: readonly string[];
}

/**
 * Reads the pooling of an R2T checkpoint: plain or gated, with or without biases, all told by names and shapes; the activation
 * leaves no trace and is the setting `da_act`, unless told `fallback`: tanh in every published command of classification, relu in those of survival.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for a tensor that is missing or has other axes; `INVALID_ARGUMENT` for the setting.
 */
export function readPooling(
  tensors: ForeignTensors,
  settings: SettingReader,
  fallback: "tanh" | "relu",
): ForeignPooling {
  const { kind, layers, attentionDropout } = layersOf(tensors);
  const theirs = (ours: string): string => layers.find(([name]) => name === ours)?.[1] ?? "";
  const hidden = theirs("head.attention.v");
  const [attentionWidth = 0] = shapeOf(tensors, `${hidden}.weight`, 2);
  const head = {
    kind,
    hidden: [],
    attentionWidth,
    attentionDropout,
    attentionActivation: settings.choice("da_act", ["tanh", "relu", "gelu"], fallback),
    attentionBias: tensors.has(`${hidden}.bias`),
    // The program has one score for all classes, of several labels as well.
    branches: "single",
  };
  const idle = [`${theirs("head.attention.w")}.bias`].filter((name) => tensors.has(name));
  return { head, layers, idle };
}

/** The program stacks its layers in lists: dropout, which it has or not, moves the number of the last one. */
function layersOf(tensors: ForeignTensors) {
  if (tensors.has(`${POOLING}.attention_c.weight`)) {
    const layers = [
      ["head.attention.v", `${POOLING}.attention_a.0`],
      ["head.attention.u", `${POOLING}.attention_b.0`],
      ["head.attention.w", `${POOLING}.attention_c`],
    ] as const;
    return { kind: "gated-abmil", layers, attentionDropout: 0 };
  }
  const hasDropout = tensors.has(`${POOLING}.attention.3.weight`);
  const layers = [
    ["head.attention.v", `${POOLING}.attention.0`],
    ["head.attention.w", `${POOLING}.attention.${hasDropout ? 3 : 2}`],
  ] as const;
  return { kind: "abmil", layers, attentionDropout: hasDropout ? 0.25 : 0 };
}
