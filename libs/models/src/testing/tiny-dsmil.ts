/**
 * @file The model of check F12: DSMIL on four features, filled by the specifications' filler.
 */
import { buildModel, type Model } from "../build-model.ts";
import { doubleFiller, type EagerBag } from "./eager-model.ts";

/** The model of F12. */
export function f12Model(): Model {
  return buildModel({ dIn: 4, head: { kind: "dsmil" }, task: { kind: "binary", classes: ["no", "yes"] } });
}

/** The bag and the weights of F12. */
export const F12_BAG: EagerBag = {
  features: doubleFiller(20, 9, 2),
  weights: {
    "head.instance.weight": doubleFiller(8, 200, 0.5),
    "head.instance.bias": doubleFiller(2, 201, 0.5),
    "head.query.0.weight": doubleFiller(512, 202, 0.5),
    "head.query.0.bias": doubleFiller(128, 203, 0.5),
    "head.query.1.weight": doubleFiller(128 * 128, 204, 0.5),
    "head.query.1.bias": doubleFiller(128, 205, 0.5),
    "head.classifier.weight": doubleFiller(16, 206, 0.5),
    "head.classifier.bias": doubleFiller(2, 207, 0.5),
  },
};
