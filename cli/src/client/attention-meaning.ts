import type { gatewayV1 } from "@parfocal/protocol";

/** What a tile's score is, by the kind of head. */
const MEANINGS: Readonly<Record<string, string>> = {
  abmil: "the attention weight by which the head pools the tile (softmax over the slide)",
  "gated-abmil": "the gated attention weight by which the head pools the tile (softmax over the slide)",
  clam: "the gated attention weight by which the head pools the tile (softmax over the slide), not the score of an instance classifier",
  "class-attention": "the weight that the class token gives to the tile, mean over the attention heads",
  dsmil: "the similarity of the tile to the class's critical tile (softmax over the slide)",
  transmil:
    "what the class token of the second layer scores the tile (softmax over the slide), mean over the attention heads",
  dtfd: "the weight of the tile within its sub-bag times that of the sub-bag, mean over the fixed splits",
};

/**
 * What the files of a folder of maps mean, for people: the numbers, their scale and what must not be read into them. Names no slide.
 */
export function attentionMeaning({ name, head, reembedder, task }: gatewayV1.Model): string {
  const whose =
    (task?.classes.length ?? 0) > 1
      ? "Files without a class in their name belong to a map that all classes share."
      : "";
  const rows =
    reembedder === "" ? "" : ` Tiles were re-embedded by ${reembedder} first: a weight also stands for neighbours.`;
  return `Maps of ${name}, head ${head}.

score       ${MEANINGS[head] ?? "the weight that the head gives to the tile"}.
            Scores of a map are never negative and sum to 1 over the slide, so that they are smaller on slides of more tiles.${rows}
percentile  share of the slide's tiles with a lower score (ties count half), 0 to 100: the colour of the maps. It compares tiles
            within a slide; every slide has a hottest tile, also one without a finding.
times_even  score times the number of tiles: 1 where every tile weighs the same. It may be compared between slides of a model.

A weight says where the model looked, not which class it saw there and not whether the tile is abnormal.
${whose}

<slide>[.<class>].png          tiles at their places, coloured by percentile
<slide>[.<class>].overlay.png  the same over the slide's thumbnail
<slide>.tiles.parquet          every tile: x, y, side, the unit of these, score, percentile, times_even of each map
<slide>.top-tiles.csv          the tiles of highest and lowest score of each map

unit        which pixels x, y and side count: level0_px, those of the slide's level 0, or encoded_px, those of the magnification that was
            encoded. The latter do not fit the slide: no GeoJSON or overlay is made of them. Importing the file again by parfocal import
            --level0-mpp gives level0_px.
`;
}
