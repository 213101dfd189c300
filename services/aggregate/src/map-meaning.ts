import { branchNames, type Task } from "@parfocal/models";
import { commonV1 } from "@parfocal/protocol";

const {
  KIND_UNSPECIFIED,
  KIND_ATTENTION,
  KIND_GATED_ATTENTION,
  KIND_CLASS_TOKEN,
  KIND_CRITICAL_SIMILARITY,
  KIND_SUB_BAG_SHARE,
  KIND_CLASS_SCORE,
} = commonV1.MapMeaning_Kind;

/** What the numbers of a head's maps are, by its kind. */
const MEANINGS: Readonly<Record<string, commonV1.MapMeaning>> = {
  abmil: {
    kind: KIND_ATTENTION,
    description: "the attention weight by which the head pools the tile (softmax over the slide)",
  },
  "gated-abmil": {
    kind: KIND_GATED_ATTENTION,
    description: "the gated attention weight by which the head pools the tile (softmax over the slide)",
  },
  clam: {
    kind: KIND_GATED_ATTENTION,
    description:
      "the gated attention weight by which the head pools the tile (softmax over the slide), not the score of an instance classifier",
  },
  "class-attention": {
    kind: KIND_CLASS_TOKEN,
    description: "the weight that the class token gives to the tile, mean over the attention heads",
  },
  dsmil: {
    kind: KIND_CRITICAL_SIMILARITY,
    description: "the similarity of the tile to the class's critical tile (softmax over the slide)",
  },
  transmil: {
    kind: KIND_CLASS_TOKEN,
    description:
      "what the class token of the second layer scores the tile (softmax over the slide), mean over the attention heads",
  },
  dtfd: {
    kind: KIND_SUB_BAG_SHARE,
    description: "the weight of the tile within its sub-bag times that of the sub-bag, mean over the fixed splits",
  },
  max: {
    kind: KIND_CLASS_SCORE,
    description:
      "the tile's own class score: the logit that the head's classifier gives to the tile by itself, before softmax or sigmoid",
  },
};

const UNKNOWN: commonV1.MapMeaning = {
  kind: KIND_UNSPECIFIED,
  description: "the weight that the head gives to the tile",
};

/** What the numbers of the maps of a head of kind `head` are; of one that is not known, weights. */
export function mapMeaningOf(head: string): commonV1.MapMeaning {
  return MEANINGS[head] ?? UNKNOWN;
}

/**
 * The class, number or interval that each of `nMaps` maps belongs to; none when the one map is shared. A score is never shared: that of a
 * binary task with one logit belongs to the positive class.
 */
export function mapLabelsOf(task: Task, nMaps: number, { kind }: Pick<commonV1.MapMeaning, "kind">): string[] {
  const names = branchNames(task);
  if (nMaps > 1) return names;
  if (kind !== KIND_CLASS_SCORE) return [];
  return task.kind === "binary" ? names.slice(-1) : names.slice(0, names.length === 1 ? 1 : 0);
}
