import { buildModel, type Model } from "@parfocal/models";

/** Width of the tiles. */
export const D = 1024;

/** Attention pooling of 128 without a layer before it, behind a re-embedder with its defaults; 0 switches all dropout off. */
export function reembedModel(kind: string, dropout: number): Model {
  const own = kind === "r2t" ? { stemDropout: dropout, dropout: dropout === 0 ? 0 : 0.1 } : { dropout };
  return buildModel({
    dIn: D,
    reembed: { kind, ...own },
    head: { kind: "abmil", hidden: [], attentionWidth: 128, attentionDropout: dropout },
    task: { kind: "binary", classes: ["negative", "positive"] },
  });
}
