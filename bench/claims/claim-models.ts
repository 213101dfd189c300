import type { StorageOrder } from "../../test/lib/planted-neighbours.ts";

/** A model under trial and how the bags that it gets are stored. */
export interface ClaimModel {
  readonly name: string;
  readonly order: StorageOrder;
  /** `reembed` of a model's configuration. */
  readonly reembed: Readonly<Record<string, unknown>>;
}

/** The models under trial at one width of the re-embedded tiles; the head is gated attention pooling for all. */
export function claimModels(width: number): readonly ClaimModel[] {
  const roformer = { kind: "roformer", width, heads: 4 };
  const r2t = { kind: "r2t", stemWidth: width, heads: 4, crmsaHeads: 4 };
  const onSlide = { ...r2t, compat: "corrected", grid: "coordinates" };
  return [
    { name: "abmil", order: "row-major", reembed: { kind: "none" } },
    { name: "roformer", order: "row-major", reembed: roformer },
    { name: "r2t", order: "row-major", reembed: r2t },
    { name: "r2t-shuffled", order: "shuffled", reembed: r2t },
    { name: "r2t-grid-shuffled", order: "shuffled", reembed: onSlide },
  ];
}

/** What is trained and how, as `parseTrainSpec` reads it: few epochs, the last one taken, no validation part. */
export function claimSpec({ reembed }: ClaimModel, { width, epochs, seed }: ClaimRecipe): Record<string, unknown> {
  return {
    model: {
      reembed: { ...reembed },
      head: { kind: "gated-abmil", hidden: [width], attentionWidth: width / 2 },
      task: { kind: "binary", classes: ["0", "1"] },
    },
    epochs,
    optimiser: { kind: "adamw", learningRate: 2e-3 },
    selection: "last",
    threshold: { kind: "fixed", value: 0.5 },
    seed,
  };
}

/** What may differ between trainings of a model. */
export interface ClaimRecipe {
  readonly width: number;
  readonly epochs: number;
  readonly seed: number;
}
