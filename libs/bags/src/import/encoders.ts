/** What is published of a tile encoder: dimensions it can emit and, where one is required, the tile it was trained on. */
export interface EncoderFacts {
  readonly name: string;
  /** Feature counts in use; several where releases differ (class token with or without patch mean, sizes). */
  readonly dimensions: readonly number[];
  /** Tile side in pixels and magnification that the encoder's authors ask for. */
  readonly tile?: { readonly px: number; readonly magnification: number };
  /** Other spellings, already in the form of {@link normalise}. */
  readonly aliases?: readonly string[];
}

const tile = (px: number, magnification: number) => ({ px, magnification });

/** Source: encoder tables of TRIDENT and MIL-Lab, model cards of the encoders. */
const ENCODERS: readonly EncoderFacts[] = [
  { name: "lunit", dimensions: [384], aliases: ["lunit_vits8", "lunit_small"] },
  { name: "kaiko", dimensions: [384, 768, 1024] },
  { name: "conch_v1", dimensions: [512], aliases: ["conch"] },
  { name: "conch_v15", dimensions: [768], tile: tile(512, 20), aliases: ["conch1_5", "conch_v1_5"] },
  { name: "ctranspath", dimensions: [768], tile: tile(256, 10), aliases: ["chief_ctranspath"] },
  { name: "phikon", dimensions: [768], tile: tile(224, 20) },
  { name: "keep", dimensions: [768] },
  { name: "h0_mini", dimensions: [768, 1536], aliases: ["h0mini"] },
  { name: "phikon_v2", dimensions: [1024], tile: tile(224, 20), aliases: ["phikonv2"] },
  { name: "uni_v1", dimensions: [1024], tile: tile(256, 20), aliases: ["uni"] },
  { name: "resnet50", dimensions: [1024], aliases: ["resnet50_trunc"] },
  { name: "gpfm", dimensions: [1024] },
  { name: "hibou_l", dimensions: [1024] },
  { name: "musk", dimensions: [1024, 2048] },
  { name: "uni_v2", dimensions: [1536], tile: tile(256, 20), aliases: ["uni2", "uni2_h"] },
  { name: "gigapath", dimensions: [1536], tile: tile(256, 20), aliases: ["prov_gigapath"] },
  { name: "hoptimus0", dimensions: [1536], tile: tile(224, 20), aliases: ["h_optimus_0", "hoptimus_0"] },
  { name: "hoptimus1", dimensions: [1536], tile: tile(224, 20), aliases: ["h_optimus_1", "hoptimus_1"] },
  { name: "openmidnight", dimensions: [1536] },
  { name: "virchow", dimensions: [2560, 1280], tile: tile(224, 20) },
  { name: "virchow2", dimensions: [2560, 1280], tile: tile(224, 20), aliases: ["virchow_v2"] },
  { name: "midnight12k", dimensions: [3072, 1536], aliases: ["midnight_12k"] },
  { name: "genbio_pathfm", dimensions: [4608] },
];

/** Facts of the encoder that `name` means, in whatever spelling; nothing when it is none of the known ones. */
export function findEncoder(name: string): EncoderFacts | undefined {
  const wanted = normalise(name);
  return ENCODERS.find((encoder) => encoder.name === wanted || encoder.aliases?.includes(wanted));
}

/** Names of the known encoders that emit `d` features: candidates to tell people, never a conclusion. */
export function encodersOfDimension(d: number): readonly string[] {
  return ENCODERS.filter((encoder) => encoder.dimensions.includes(d)).map((encoder) => encoder.name);
}

/** The project's name for an encoder: that of the table for known ones, else the name as it came. */
export function encoderNameFrom(name: string): string {
  return findEncoder(name)?.name ?? name;
}

function normalise(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, "_");
}
