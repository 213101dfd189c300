import { buildModel, type Model } from "@parfocal/models";

/** A layer of 512, gated attention of 256, two classes, dropout at all three sites. */
export function gatedAttention({ d, dropout }: { readonly d: number; readonly dropout: number }): Model {
  const head = { kind: "gated-abmil", hidden: [512], attentionWidth: 256, dropout, attentionDropout: dropout };
  return buildModel({ dIn: d, head, task: { kind: "binary", classes: ["negative", "positive"] } });
}
