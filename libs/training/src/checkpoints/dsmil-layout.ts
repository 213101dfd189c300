import type { Task } from "@parfocal/models";
import { type CheckpointLayout, shapeOf } from "./layout.ts";

/** The query network's only layer in older versions of the program. */
const LINEAR_QUERY = "b_classifier.q";

/** Our names of layers as theirs. */
function layerNames(isLinear: boolean): ReadonlyMap<string, string> {
  return new Map([
    ["head.instance", "i_classifier.fc.0"],
    ["head.query.0", isLinear ? LINEAR_QUERY : "b_classifier.q.0"],
    ["head.query.1", "b_classifier.q.2"],
    ["head.value", "b_classifier.v.1"],
    ["head.classifier", "b_classifier.fcc"],
  ]);
}

/**
 * Aggregator checkpoints of the public DSMIL program (`i_classifier`, `b_classifier`), with a query network of two layers or of one.
 * Learned values have a ReLU in the newer versions and none in the older ones, which is the setting `v_act`; what a slide is decided by
 * is `decision`: the bag stream, or as evaluated by the program's option to average the mean of both streams' probabilities.
 *
 * Source: binli123/dsmil-wsi at 80465ed, names and shapes alone.
 */
export const dsmilLayout: CheckpointLayout = {
  name: "dsmil",
  isOf: (tensors) => tensors.has("i_classifier.fc.0.weight") && tensors.has("b_classifier.fcc.weight"),
  read(tensors, settings) {
    const [nLogits = 0, dIn = 0] = shapeOf(tensors, "i_classifier.fc.0.weight", 2);
    const isLinear = tensors.has(`${LINEAR_QUERY}.weight`);
    const names = layerNames(isLinear);
    const [queryWidth = 0] = shapeOf(tensors, `${names.get("head.query.0")}.weight`, 2);
    const isLearned = tensors.has("b_classifier.v.1.weight");
    const head = {
      kind: "dsmil",
      hidden: [],
      query: isLinear ? "linear" : "deep",
      queryWidth,
      value: isLearned ? "learned" : "identity",
      decision: settings.choice("decision", ["bag", "mean"], "bag"),
      ...(isLearned && { valueActivation: settings.choice("v_act", ["relu", "none"], "relu") }),
    };
    return {
      model: { dIn, head },
      nLogits,
      defaultTask: () => sigmoidTask(nLogits),
      foreignName(parameter) {
        const dot = parameter.lastIndexOf(".");
        return `${names.get(parameter.slice(0, dot)) ?? parameter.slice(0, dot)}${parameter.slice(dot)}`;
      },
      // Theirs is a convolution over the classes' embeddings, each as wide as a tile.
      foreignShape: (parameter) => (parameter === "head.classifier.weight" ? [nLogits, nLogits, dIn] : undefined),
    };
  },
};

/** The program puts a sigmoid on every output; one output means negative and positive. */
function sigmoidTask(nLogits: number): Task {
  if (nLogits === 1) return { kind: "binary", classes: ["0", "1"], link: "sigmoid" };
  const classes = Array.from({ length: nLogits }, (_, k) => `${k}`);
  return { kind: "multilabel", classes, link: "sigmoid" };
}
