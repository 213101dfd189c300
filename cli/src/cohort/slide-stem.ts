/** Names of the column that says which bag or slide a row is of, in the order of preference. */
export const SLIDE_COLUMNS = ["bag", "slide_id", "slide", "filename", "file", "image_id", "wsi"] as const;

/** Endings of slides and of feature files; `.ome.tiff` has two. */
const ENDINGS =
  /(?:\.ome)?\.(?:svs|ndpi|mrxs|scn|vsi|bif|czi|dcm|isyntax|tiff?|jpe?g|png|h5|hdf5|pt|pth|npy|npz|safetensors|csv)$/i;

/** A name without the ending of a slide or feature file, and without folders. */
export function stemOf(name: string): string {
  const plain = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
  const stem = plain.replace(ENDINGS, "");
  // STAMP names `slide.svs.h5` and the like.
  return stem === plain ? plain : stem.replace(ENDINGS, "");
}
