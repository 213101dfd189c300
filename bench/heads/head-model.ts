import { buildModel, type Model } from "@parfocal/models";

/** Width of the tiles. */
export const D = 1024;

/** The heads with the sizes of their papers; 0 switches all dropout off. */
export function headModel(name: string, dropout: number): Model {
  const heads: Readonly<Record<string, object>> = {
    clam: { kind: "clam", dropout, attentionDropout: dropout },
    transmil: { kind: "transmil", attentionDropout: dropout === 0 ? 0 : 0.1 },
    dtfd: { kind: "dtfd", splits: 1 },
    "dtfd-whole": { kind: "dtfd", groups: 1, splits: 1 },
    abmil: { kind: "abmil", dropout, attentionDropout: dropout },
    "gated-abmil": { kind: "gated-abmil", dropout, attentionDropout: dropout },
    dsmil: { kind: "dsmil" },
  };
  return buildModel({
    dIn: D,
    head: heads[name] ?? { kind: name, dropout },
    task: { kind: "binary", classes: ["negative", "positive"] },
  });
}
