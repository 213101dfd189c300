import type { PlantedSlide } from "./planted-cohort.ts";
import { PLANTED_DIM, PLANTED_STRIDE_PX } from "./planted-cohort.ts";

/** Side of the encoded tiles in pixels, at 20x. */
const TILE_PX = 256;

/**
 * A slide as an HDF5 file in TRIDENT's layout: `features` `[N, D]` f32, `coords` `[N, 2]` i32 with the attributes that tell
 * their unit. The encoder's name says that there was none.
 */
export async function encodeSlideH5(slide: PlantedSlide): Promise<Uint8Array> {
  const { h5wasm } = await import("h5wasm");
  const { FS } = await h5wasm.ready;
  const path = "/slide.h5";
  const file = new h5wasm.File(path, "w");
  const { features, coords, n } = slide;
  const featureSet = file.create_dataset({ name: "features", data: features, shape: [n, PLANTED_DIM], dtype: "<f" });
  const coordSet = file.create_dataset({ name: "coords", data: coords, shape: [n, 2], dtype: "<i" });
  featureSet.create_attribute("encoder", "planted");
  const attributes = {
    patch_size: TILE_PX,
    patch_size_level0: PLANTED_STRIDE_PX,
    level0_magnification: 40,
    target_magnification: 20,
    overlap: 0,
  };
  for (const [name, value] of Object.entries(attributes)) coordSet.create_attribute(name, value, null, "<i");
  file.close();
  const bytes = FS.readFile(path);
  FS.unlink(path);
  return bytes;
}
