import { importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";
import { C, checkpointOf, encoderShapes, entry, L, type PoolingNames, poolPlainly, runImported } from "./r2t-checkpoint.ts"; // biome-ignore format: one line

interface Pooling extends PoolingNames {
  readonly hasBias: boolean;
}

const PLAIN = { hidden: "attention.0", scores: "attention.2" };
/** With dropout between them. */
const DROPPED = { hidden: "attention.0", scores: "attention.3" };
const GATED = { hidden: "attention_a.0", gate: "attention_b.0", scores: "attention_c" };

const POOLINGS: readonly Pooling[] = [
  { ...PLAIN, hasBias: false, activation: "tanh" },
  { ...PLAIN, hasBias: false, activation: "relu" },
  { ...PLAIN, hasBias: true, activation: "gelu" },
  { ...DROPPED, hasBias: true, activation: "relu" },
  { ...GATED, hasBias: false, activation: "relu" },
  { ...GATED, hasBias: true, activation: "tanh" },
];

function checkpointWith({ hidden, gate, scores, hasBias }: Pooling): Map<string, TorchEntry> {
  const layers: readonly (readonly [string, number, number])[] = [
    [hidden, L, C],
    ...(gate === undefined ? [] : [[gate, L, C] as const]),
    [scores, 1, L],
  ];
  const shapes = layers.map(([name, nOut, nIn]) => ({
    [`pool_fn.attention.${name}.weight`]: [nOut, nIn],
    ...(hasBias && { [`pool_fn.attention.${name}.bias`]: [nOut] }),
  }));
  return checkpointOf({ ...encoderShapes(), ...(Object.assign({}, ...shapes) as Record<string, number[]>) });
}

function settingsOf({ activation }: Pooling): Record<string, string> {
  return { n_heads: "2", crmsa_heads: "2", da_act: activation };
}

describe("pooling of an imported R2T checkpoint", () => {
  it.each(POOLINGS)("is the original's: $hidden to $scores, biases $hasBias, $activation", (pooling) => {
    const checkpoint = checkpointWith(pooling);
    const { logits, tiles } = runImported(checkpoint, settingsOf(pooling), 9);
    const expected = poolPlainly(checkpoint, tiles, pooling);
    expect(logits).toHaveLength(3);
    // f32 sums over 16 features.
    for (const [k, value] of expected.entries()) expect(logits[k]).toBeCloseTo(value, 5);
  });

  it("is told apart by the activation, which the file does not tell", () => {
    const [pooling] = POOLINGS as readonly [Pooling, ...Pooling[]];
    const bytes = encodeTorchFile(checkpointWith(pooling));
    const read = (activation: Pooling["activation"]) =>
      importCheckpoint({ bytes, settings: settingsOf({ ...pooling, activation }) }).model.config.head;
    expect(read("relu")).toMatchObject({ kind: "abmil", attentionActivation: "relu", attentionBias: false });
    expect(read("tanh")).toMatchObject({ attentionActivation: "tanh" });
  });

  it("is refused when a layer is missing or has another width", () => {
    const gated = POOLINGS[4] as Pooling;
    const refuse = (name: string, change: TorchEntry | undefined) => {
      const all = checkpointWith(gated);
      if (change === undefined) all.delete(name);
      else all.set(name, change);
      return () => importCheckpoint({ bytes: encodeTorchFile(all), settings: settingsOf(gated) });
    };
    const gate = "pool_fn.attention.attention_b.0.weight";
    expect(refuse(gate, undefined)).toThrow(`the checkpoint has no tensor ${gate}`);
    expect(refuse(gate, entry([L + 1, C], 1))).toThrow(`${gate} of the checkpoint is [9, 16], not [8, 16]`);
    expect(refuse("pool_fn.attention.attention_c.weight", undefined)).toThrow(
      "no tensor pool_fn.attention.attention.0",
    );
  });
});
