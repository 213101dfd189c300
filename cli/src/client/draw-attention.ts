import { isDomainError } from "@parfocal/errors";
import { plural } from "../output/units.ts";
import { isPlaced, type ScoreMap } from "../report/index.ts";
import { type AttentionWish, writeAttention } from "./attention-files.ts";
import { openThumbnails, type ThumbnailOptions } from "./thumbnails.ts";

/** What is drawn, and where. */
export interface DrawOptions extends ThumbnailOptions, Pick<AttentionWish, "heatmaps" | "geojson" | "topTiles"> {
  readonly overlayAlpha?: number;
}

/** Draws the maps of slides and remembers what could not be drawn. */
export interface AttentionDrawer {
  /** `maps` undefined: the model weighs no tiles. */
  draw(slide: string, maps: readonly ScoreMap[] | undefined): Promise<void>;
  /** Whether something could not be drawn that was asked for. */
  hasFailed(): boolean;
  /** Sentences for the end, none where all was drawn. */
  remarks(): readonly string[];
}

/**
 * A drawer for `nSlides` slides.
 *
 * @throws {UsageError} for a thumbnail that is not there, or one that would be that of several slides.
 */
export async function createDrawer(options: DrawOptions, nSlides: number): Promise<AttentionDrawer> {
  const thumbnailOf = await openThumbnails(options, nSlides);
  const { heatmaps, geojson, topTiles, overlayAlpha } = options;
  const wish: AttentionWish = {
    ...(heatmaps === undefined ? {} : { heatmaps }),
    ...(geojson === undefined ? {} : { geojson }),
    ...(topTiles === undefined ? {} : { topTiles }),
    ...(overlayAlpha === undefined ? {} : { alpha: overlayAlpha }),
  };
  let [nUnweighed, nWithoutMap, nWithoutThumbnail] = [0, 0, 0];
  const failures: string[] = [];
  return {
    async draw(slide, maps) {
      if (maps === undefined) {
        nUnweighed++;
        return;
      }
      const isDrawn = maps.some(isPlaced);
      if (!isDrawn) nWithoutMap++;
      try {
        const thumbnail = isDrawn ? await thumbnailOf?.(slide) : undefined;
        if (thumbnail === undefined && isDrawn && thumbnailOf !== undefined) nWithoutThumbnail++;
        await writeAttention(slide, maps, { ...wish, ...(thumbnail && { thumbnail }) });
      } catch (error) {
        if (!isDomainError(error)) throw error;
        failures.push(`failed: maps of ${slide}: ${error.code}: ${error.message}`);
      }
    },
    hasFailed: () => failures.length + nUnweighed > 0,
    remarks: () => [
      ...failures,
      ...(nUnweighed > 0 ? [`the model weighs no tiles: of ${plural(nUnweighed, "slide")} there is no map`] : []),
      ...(nWithoutMap > 0 ? [`${plural(nWithoutMap, "bag")} without coordinates: ${withoutMap(heatmaps)}`] : []),
      ...(nWithoutThumbnail > 0 ? [`${plural(nWithoutThumbnail, "slide")} without a thumbnail: no overlay`] : []),
    ],
  };
}

function withoutMap(heatmaps: string | undefined): string {
  return heatmaps === undefined ? "no map was drawn" : "no map was drawn, tables name tiles by their row";
}
