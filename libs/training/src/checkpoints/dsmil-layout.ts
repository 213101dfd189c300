import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";
import { type CheckpointLayout, shapeOf } from "./layout.ts";

/** Our names of layers as theirs. */
const LAYERS: ReadonlyMap<string, string> = new Map([
  ["head.instance", "i_classifier.fc.0"],
  ["head.query.0", "b_classifier.q.0"],
  ["head.query.1", "b_classifier.q.2"],
  ["head.value", "b_classifier.v.1"],
  ["head.classifier", "b_classifier.fcc"],
]);

/**
 * Aggregator checkpoints of the public DSMIL program (`i_classifier`, `b_classifier`).
 *
 * Source: binli123/dsmil-wsi at 80465ed, names and shapes alone.
 */
export const dsmilLayout: CheckpointLayout = {
  name: "dsmil",
  isOf: (tensors) => tensors.has("i_classifier.fc.0.weight") && tensors.has("b_classifier.fcc.weight"),
  read(tensors) {
    const [nLogits, dIn] = shapeOf(tensors, "i_classifier.fc.0.weight", 2);
    if (!tensors.has("b_classifier.q.2.weight")) {
      const message = "the checkpoint's query network has one layer; only the one of two layers can be imported";
      throw new DomainError("UNSUPPORTED_FORMAT", message);
    }
    const [queryWidth] = shapeOf(tensors, "b_classifier.q.0.weight", 2);
    const head = {
      kind: "dsmil",
      hidden: [],
      queryWidth: queryWidth ?? 0,
      value: tensors.has("b_classifier.v.1.weight") ? "learned" : "identity",
    };
    return {
      model: { dIn: dIn ?? 0, head },
      nLogits: nLogits ?? 0,
      defaultTask: () => sigmoidTask(nLogits ?? 0),
      foreignName(parameter) {
        const dot = parameter.lastIndexOf(".");
        return `${LAYERS.get(parameter.slice(0, dot)) ?? parameter.slice(0, dot)}${parameter.slice(dot)}`;
      },
    };
  },
};

/** The program puts a sigmoid on every output; one output means negative and positive. */
function sigmoidTask(nLogits: number): Task {
  if (nLogits === 1) return { kind: "binary", classes: ["0", "1"], link: "sigmoid" };
  const classes = Array.from({ length: nLogits }, (_, k) => `${k}`);
  return { kind: "multilabel", classes, link: "sigmoid" };
}
