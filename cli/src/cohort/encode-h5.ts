import type { PlantedSlide } from "./planted-cohort.ts";
import { PLANTED_DIM, PLANTED_STRIDE_PX } from "./planted-cohort.ts";
import { MAGNIFIED_DIM, MAGNIFIED_TILE_PX, type PlantedMagnification } from "./planted-magnifications.ts";

/** Side of the encoded tiles in pixels, at 20x. */
const TILE_PX = 256;

/** A slide as an HDF5 file in TRIDENT's layout. The encoder's name says that there was none. */
export function encodeSlideH5({ features, coords }: PlantedSlide): Promise<Uint8Array> {
  const grid = { tilePx: TILE_PX, stridePx: PLANTED_STRIDE_PX, magnification: 20 };
  return encodeH5({ features, coords, dim: PLANTED_DIM, ...grid });
}

/** One magnification of a slide as such a file. */
export function encodeMagnificationH5(tiles: PlantedMagnification): Promise<Uint8Array> {
  return encodeH5({ ...tiles, dim: MAGNIFIED_DIM, tilePx: MAGNIFIED_TILE_PX });
}

/** Tiles of a slide scanned at 40x. */
interface Tiles {
  /** `[N, D]`. */
  readonly features: Float32Array;
  /** `[N, 2]` level-0 pixels. */
  readonly coords: Int32Array;
  /** D. */
  readonly dim: number;
  readonly tilePx: number;
  /** Distance of neighbouring tiles in level-0 pixels. */
  readonly stridePx: number;
  readonly magnification: number;
}

/** `features` `[N, D]` f32 and `coords` `[N, 2]` i32 with the attributes that tell their unit. */
async function encodeH5({ features, coords, dim, tilePx, stridePx, magnification }: Tiles): Promise<Uint8Array> {
  const { h5wasm } = await import("h5wasm");
  const { FS } = await h5wasm.ready;
  const path = "/slide.h5";
  const file = new h5wasm.File(path, "w");
  const n = features.length / dim;
  const featureSet = file.create_dataset({ name: "features", data: features, shape: [n, dim], dtype: "<f" });
  const coordSet = file.create_dataset({ name: "coords", data: coords, shape: [n, 2], dtype: "<i" });
  featureSet.create_attribute("encoder", "planted");
  const attributes = {
    patch_size: tilePx,
    patch_size_level0: stridePx,
    level0_magnification: 40,
    target_magnification: magnification,
    overlap: 0,
  };
  for (const [name, value] of Object.entries(attributes)) coordSet.create_attribute(name, value, null, "<i");
  file.close();
  const bytes = FS.readFile(path);
  FS.unlink(path);
  return bytes;
}
