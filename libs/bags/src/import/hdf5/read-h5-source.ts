import { DomainError } from "@parfocal/errors";
import { pickNames } from "../pick-tensors.ts";
import type { SourceBag } from "../source-bag.ts";
import { type H5Array, type H5Attribute, type H5File, withH5File } from "./h5-file.ts";
import { stampGeometry } from "./stamp-geometry.ts";

/**
 * Reads the features of an HDF5 file in the layout of CLAM, TRIDENT, STAMP, HEST or of those that write alike.
 *
 * @param sourceDigest SHA-256 of `bytes`.
 * @throws {DomainError} TRUNCATED or CORRUPT when the file is damaged; UNSUPPORTED_FORMAT when it has no array of features;
 * SHAPE_MISMATCH when it says itself that it is a slide embedding; GEOMETRY_MISMATCH when its coordinates have no unit.
 */
export function readH5Source(bytes: Uint8Array, sourceDigest: string): Promise<SourceBag> {
  return withH5File(bytes, (file) => ({ ...sourceOf(file), sourceDigest }));
}

type Layout = Pick<SourceBag, "layout" | "coordUnit" | "claims" | "notes">;

function sourceOf(file: H5File): Omit<SourceBag, "sourceDigest"> {
  const names = pickNames(file.names);
  const features = file.array(names.features);
  const coords = names.coords === undefined ? undefined : file.array(names.coords);
  const layout = layoutOf(file, names.features, features, coords);
  const isMatrix = features.shape.length > 1;
  // A slide embedding has coordinates of another length: say what it is before anything else.
  return { ...layout, features: features.read(), ...(coords && isMatrix && { coords: coords.read() }) };
}

function layoutOf(file: H5File, name: string, features: H5Array, coords: H5Array | undefined): Layout {
  if (name === "patch_embeddings") return plain("stamp-multiplex-h5", "unknown");
  if (name === "embeddings") return plain("hest-h5", "unknown");
  if (name === "feats" || file.attribute("stamp_version") !== undefined) return stampLayout(file, coords);
  const isTrident = features.attribute("encoder") !== undefined || coords?.attribute("patch_size_level0") !== undefined;
  if (isTrident) return tridentLayout(features, coords);
  if (coords === undefined) return plain("features-h5", "none");
  // CLAM and TRIDENT write whole level-0 pixels; floats are GigaPath's or somebody's own.
  return /^[IU]/u.test(coords.dtype) ? plain("clam-h5", "level0_px") : plain("gigapath-h5", "unknown");
}

function plain(layout: string, coordUnit: SourceBag["coordUnit"]): Layout {
  const notes = layout === "clam-h5" ? ["CLAM files do not tell encoder, tile size or resolution"] : [];
  return { layout, coordUnit, claims: {}, notes };
}

function stampLayout(file: H5File, coords: H5Array | undefined): Layout {
  const kind = textOf(file.attribute("feat_type"));
  if (kind !== undefined && kind !== "tile") {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `the file holds ${JSON.stringify(kind)} features: an embedding, not a bag of tiles`,
    );
  }
  const encoder = textOf(file.attribute("extractor"));
  const geometry = stampGeometry(
    {
      unit: textOf(file.attribute("unit")),
      tileUm: positiveOf(file.attribute("tile_size_um")) ?? positiveOf(file.attribute("tile_size")),
      tilePx: positiveOf(file.attribute("tile_size_px")),
    },
    coords?.read(),
  );
  return { layout: "stamp-h5", ...geometry, claims: { ...geometry.claims, ...(encoder !== undefined && { encoder }) } };
}

function tridentLayout(features: H5Array, coords: H5Array | undefined): Layout {
  const number = (name: string) => positiveOf(coords?.attribute(name));
  const encoder = textOf(features.attribute("encoder"));
  const [tilePx, level0Px, magnification] = [
    number("patch_size"),
    number("patch_size_level0"),
    number("target_magnification"),
  ];
  const stride =
    level0Px !== undefined && tilePx !== undefined
      ? level0Px - ((number("overlap") ?? 0) * level0Px) / tilePx
      : undefined;
  const claims = {
    ...(encoder !== undefined && { encoder }),
    ...(tilePx !== undefined && { tilePx }),
    ...(magnification !== undefined && { mpp: 10 / magnification, isMppNominal: true }),
    ...(level0Px !== undefined && { tileLevel0Px: level0Px }),
    ...(stride !== undefined && stride > 0 && { stride }),
  };
  const notes =
    magnification === undefined ? [] : [`mpp is nominal: 10 um divided by the magnification of ${magnification}x`];
  return { layout: "trident-h5", coordUnit: coords ? "level0_px" : "none", claims, notes };
}

/** Attributes are text from outside: bounded, and TRIDENT writes Python's None as text. */
function textOf(value: H5Attribute | undefined): string | undefined {
  return typeof value === "string" && value !== "" && value !== "None" && value.length <= 200 ? value : undefined;
}

function positiveOf(value: H5Attribute | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}
