import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { stemOf } from "../cohort/slide-stem.ts";
import { UsageError } from "../exit-codes.ts";
import { decodePicture, type Picture, type ThumbnailScale } from "../report/index.ts";

/** Options that say which pictures lie below heatmaps, and how large a slide they show. */
export interface ThumbnailOptions {
  /** A PNG or JPEG of one slide, or a folder with one per slide. */
  readonly thumbnail?: string;
  /** Width and height of the whole slide, level-0 pixels. */
  readonly thumbnailSize?: readonly [number, number];
  /** Level-0 pixels per pixel. */
  readonly thumbnailDownsample?: number;
  /** Micrometres per pixel of the thumbnail; with `level0Mpp`. */
  readonly thumbnailMpp?: number;
  readonly level0Mpp?: number;
}

/** A picture to draw on. */
export interface Thumbnail {
  readonly picture: Picture;
  readonly scale: ThumbnailScale;
}

/** Finds the thumbnail of a slide; undefined when there is none. */
export type ThumbnailFinder = (slide: string) => Promise<Thumbnail | undefined>;

/**
 * The thumbnails that the options mean; undefined without any.
 *
 * @param nSlides Slides that are drawn: one file is for one of them.
 * @throws {UsageError} for options that do not say how large a slide a thumbnail shows, or say it twice, and for a missing file.
 */
export async function openThumbnails(options: ThumbnailOptions, nSlides: number): Promise<ThumbnailFinder | undefined> {
  const { thumbnail } = options;
  if (thumbnail === undefined) return undefined;
  const info = await stat(thumbnail).catch(() => undefined);
  if (info === undefined) throw new UsageError(`there is no file or folder ${thumbnail}`);
  const read = async (path: string) => {
    const picture = decodePicture(await readFile(path));
    return { picture, scale: scaleOf(picture, options) };
  };
  if (!info.isDirectory()) {
    if (nSlides > 1) throw new UsageError(`${thumbnail} shows one slide; there are ${nSlides}: give a folder`);
    return () => read(thumbnail);
  }
  if (options.thumbnailSize !== undefined)
    throw new UsageError(
      "--thumbnail-size is for one slide; of a folder give --thumbnail-downsample or --thumbnail-mpp",
    );
  const names = (await readdir(thumbnail)).filter((name) => /\.(?:png|jpe?g)$/i.test(name));
  const byStem = new Map(names.map((name) => [stemOf(name), join(thumbnail, name)]));
  return async (slide) => {
    const path = byStem.get(stemOf(slide));
    return path === undefined ? undefined : read(path);
  };
}

/** Checks what can be wrong before anything is computed. @throws {UsageError} as {@link openThumbnails}. */
export function assertThumbnailOptions(options: ThumbnailOptions): void {
  const { thumbnail, thumbnailSize, thumbnailDownsample, thumbnailMpp, level0Mpp } = options;
  const ways = [thumbnailSize, thumbnailDownsample, thumbnailMpp].filter((way) => way !== undefined).length;
  if (thumbnail === undefined && ways > 0) throw new UsageError("give the picture by --thumbnail");
  if (thumbnail !== undefined && ways !== 1) {
    throw new UsageError(
      "give one of --thumbnail-size, --thumbnail-downsample and --thumbnail-mpp: a picture does not say how large a slide it shows",
    );
  }
  if ((thumbnailMpp === undefined) !== (level0Mpp === undefined))
    throw new UsageError("--thumbnail-mpp and --level0-mpp go together: their ratio is the scale");
}

function scaleOf({ width, height }: Picture, options: ThumbnailOptions): ThumbnailScale {
  const { thumbnailSize, thumbnailDownsample, thumbnailMpp = 1, level0Mpp = 1 } = options;
  if (thumbnailSize !== undefined) return { x: thumbnailSize[0] / width, y: thumbnailSize[1] / height };
  const downsample = thumbnailDownsample ?? thumbnailMpp / level0Mpp;
  return { x: downsample, y: downsample };
}
