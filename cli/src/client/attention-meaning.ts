import { commonV1, type gatewayV1 } from "@parfocal/protocol";

/** Whether a map's numbers are the tiles' own class scores; else, and where an older gateway does not say, they are weights. */
export function areClassScores(meaning: commonV1.MapMeaning | undefined): boolean {
  return meaning?.kind === commonV1.MapMeaning_Kind.KIND_CLASS_SCORE;
}

/**
 * What the files of a folder of maps mean, for people: the numbers, their scale and what must not be read into them. `meanings` are those
 * that came with the maps, none from older gateways. Names no slide.
 */
export function attentionMeaning(
  { name, head, reembedder, task }: gatewayV1.Model,
  meanings: readonly commonV1.MapMeaning[],
): string {
  const [meaning] = meanings;
  const words = areClassScores(meaning) ? OF_SCORES : OF_WEIGHTS;
  const whose =
    (task?.classes.length ?? 0) > 1
      ? "Files without a class in their name belong to a map that all classes share."
      : "";
  const rows =
    reembedder === ""
      ? ""
      : ` Tiles were re-embedded by ${reembedder} first: a ${words.one} also stands for neighbours.`;
  return `Maps of ${name}, head ${head}.

score       ${meaning?.description || "the weight that the head gives to the tile"}.
            ${words.scale}${rows}
percentile  share of the slide's tiles with a lower score (ties count half), 0 to 100: the colour of the maps. It compares tiles
            within a slide; every slide has a hottest tile, also one without a finding.
${words.timesEven}
${words.caution}
${whose}

<slide>[.<class>].png          tiles at their places, coloured by percentile
<slide>[.<class>].overlay.png  the same over the slide's thumbnail
<slide>.tiles.parquet          every tile: tile, x, y, side, the unit of these, ${words.columns} of each map
<slide>.top-tiles.csv          the tiles of highest and lowest score of each map

tile        the tile's row, from 0: in the bag, or, where the model makes other rows of it, in what parfocal reembed writes of it. Empty where
            tiles of several magnifications are joined to squares. Bags without coordinates have no pictures; their tables have no
            x, y, side and unit.
unit        which pixels x, y and side count: level0_px, those of the slide's level 0, or encoded_px, those of the magnification that was
            encoded. The latter do not fit the slide: no GeoJSON or overlay is made of them. Importing the file again by parfocal import
            --level0-mpp gives level0_px.
`;
}

const OF_WEIGHTS = {
  one: "weight",
  scale:
    "Scores of a map are never negative and sum to 1 over the slide, so that they are smaller on slides of more tiles.",
  timesEven: `times_even  score times the number of tiles: 1 where every tile weighs the same. It may be compared between slides of a model.
`,
  caution: "A weight says where the model looked, not which class it saw there and not whether the tile is abnormal.",
  columns: "score, percentile, times_even",
} as const;

const OF_SCORES = {
  one: "score",
  scale:
    "Scores have any sign and sum to nothing. They may be compared between slides of a model; each logit of a slide is that of\n            one of its tiles.",
  timesEven: "",
  caution:
    "A score says what the classifier makes of the tile alone. It learnt from labels of slides, so it does not say that the tile is abnormal.",
  columns: "score, percentile",
} as const;
