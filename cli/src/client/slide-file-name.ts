/** A name as the stem of a file's name that every system takes. */
export function slideFileName(name: string): string {
  return (
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, "_")
      .replace(/^\.+/, "_")
      .slice(0, 120) || "_"
  );
}

/** A slide, or a bag of it, that gets a file. */
export interface NamedSlide {
  readonly slide: string;
  /** Tells bags of one slide apart. */
  readonly digest: string;
}

/** Names of one file for each of `slides`, in their order: the slide, and where several would have the same, the bag's first 12 digits behind it. */
export function distinctFileNames(slides: readonly NamedSlide[], ending: string): readonly string[] {
  const stems = slides.map(({ slide }) => slideFileName(slide));
  // Some file systems do not tell letters from capitals.
  const counts = Map.groupBy(stems, (stem) => stem.toLowerCase());
  return stems.map((stem, i) => {
    const isShared = (counts.get(stem.toLowerCase())?.length ?? 0) > 1;
    return `${stem}${isShared ? `.${slides[i]?.digest.slice(0, 12)}` : ""}${ending}`;
  });
}
