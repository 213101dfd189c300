import { buildModel, type Model } from "../build-model.ts";
import { doubleFiller } from "./eager-model.ts";

/** The model of check F16. */
export function tinyTransmil(): Model {
  const head = { kind: "transmil", hidden: [16], landmarks: 8 };
  return buildModel({ dIn: 6, head, task: { kind: "binary", classes: ["no", "yes"] } });
}

const SEEDS: Readonly<Record<string, number>> = {
  "head.token": 400,
  "head.trunk.0.weight": 401,
  "head.trunk.0.bias": 402,
  "head.layers.0.norm.weight": 403,
  "head.layers.0.norm.bias": 404,
  "head.layers.0.qkv.weight": 405,
  "head.layers.0.out.weight": 406,
  "head.layers.0.out.bias": 407,
  "head.layers.0.conv.weight": 408,
  "head.position.0.weight": 409,
  "head.position.0.bias": 410,
  "head.position.1.weight": 411,
  "head.position.1.bias": 412,
  "head.position.2.weight": 413,
  "head.position.2.bias": 414,
  "head.layers.1.norm.weight": 415,
  "head.layers.1.norm.bias": 416,
  "head.layers.1.qkv.weight": 417,
  "head.layers.1.out.weight": 418,
  "head.layers.1.out.bias": 419,
  "head.layers.1.conv.weight": 420,
  "head.norm.weight": 421,
  "head.norm.bias": 422,
  "head.classifier.weight": 423,
  "head.classifier.bias": 424,
};

/** The weights of F16: a = 0.5, scales of norms 1 + a·val. */
export function f16Weights(): Record<string, number[]> {
  const entries = tinyTransmil().parameters.map(({ name, shape }): [string, number[]] => {
    const values = doubleFiller(shape.reduce((size, dim) => size * dim, 1), SEEDS[name] ?? Number.NaN, 0.5); // biome-ignore format: one line
    return [name, /norm\.weight$/u.test(name) ? values.map((value) => 1 + value) : values];
  });
  return Object.fromEntries(entries);
}
