import { DomainError } from "@parfocal/errors";
import type { BagMetadata } from "../bag.ts";
import { coordsFromTensor } from "./coords-from-tensor.ts";
import { encoderNameFrom, encodersOfDimension, findEncoder } from "./encoders.ts";
import { featuresFromTensor } from "./features-from-tensor.ts";
import type { ImportedBag, ImportOptions, Inferred } from "./imported-bag.ts";
import { frameOf, resolveGeometry } from "./resolve-geometry.ts";
import type { SourceBag, SourceClaims } from "./source-bag.ts";
import { type TilePlaces, tilePlaces } from "./tile-places.ts";

/** A number grows when its importer gives another bag for the same file; 1 unless listed. */
const IMPORTER_VERSIONS: Readonly<Record<string, number>> = { "trident-h5": 2 };

/**
 * The bag that a file's arrays make, together with what the caller said. Depends on nothing else, so the same file, name
 * and options give the same bytes everywhere.
 *
 * @param fileStem Name of the bag unless the source names it; becomes the slide id unless the caller gives one.
 * @throws {DomainError} What {@link featuresFromTensor}, {@link coordsFromTensor} and {@link resolveGeometry} throw;
 * GEOMETRY_MISMATCH when the encoder cannot emit that many features.
 */
export function completeBag(source: SourceBag, fileStem: string, options: ImportOptions): ImportedBag {
  const { n, d, features, note } = featuresFromTensor(source.features);
  const geometry = resolveGeometry(source.claims, options);
  const frame = frameOf(source, geometry, options);
  const coords = source.coords && coordsFromTensor(source.coords, n, frame.scale);
  const name = source.name ?? fileStem;
  const metadata: BagMetadata = {
    slideId: options.slideId ?? name,
    ...definedOf({ patientId: options.patientId, sourceLabel: source.sourceLabel }),
    ...geometry,
    ...(coords && definedOf({ stridePx: strideOf(source.claims, geometry.tilePx) })),
    ...(coords && definedOf({ level0StridePx: frame.stridePx, level0Mpp: options.level0Mpp, coordUnit: frame.unit })),
    sourceDigest: source.sourceDigest,
    importer: `${source.layout}/${IMPORTER_VERSIONS[source.layout] ?? 1}`,
  };
  const bag = { n, d, features, ...(coords && { coords }), metadata };
  const { notes: placeNotes, ...places } = tilePlaces(bag);
  const doubts = [...frame.notes, ...placeNotes, ...encoderNotes(geometry, d)];
  const notes = [...source.notes, ...(note ? [note] : []), ...doubts];
  return { bag, name, inferred: inferredOf(source, places, notes) };
}

/** The stride in pixels of the tile, of files that tell how many pixels of level 0 a tile spans. */
function strideOf({ stride, tileLevel0Px }: SourceClaims, tilePx: number | undefined): number | undefined {
  if (stride === undefined || tileLevel0Px === undefined || tilePx === undefined) return undefined;
  return (stride * tilePx) / tileLevel0Px;
}

function inferredOf(source: SourceBag, places: Omit<TilePlaces, "notes">, notes: readonly string[]): Inferred {
  const { encoder, tilePx, mpp } = source.claims;
  const found = { encoder: encoder && encoderNameFrom(encoder), tilePx, mpp, ...places };
  return { layout: source.layout, ...definedOf(found), coordUnit: source.coords ? source.coordUnit : "none", notes };
}

function encoderNotes(geometry: Pick<BagMetadata, "encoder" | "tilePx">, d: number): readonly string[] {
  const { encoder, tilePx } = geometry;
  if (encoder === undefined) return [candidateNote(d)];
  const facts = findEncoder(encoder);
  if (!facts) return [`encoder ${JSON.stringify(encoder)} is not in the table, its ${d} features were not checked`];
  if (!facts.dimensions.includes(d)) {
    const dimensions = facts.dimensions.join(" or ");
    throw new DomainError("GEOMETRY_MISMATCH", `encoder ${facts.name} emits ${dimensions} features, the file has ${d}`);
  }
  if (facts.tile === undefined || tilePx === undefined || facts.tile.px === tilePx) return [];
  return [`tiles are ${tilePx} px, ${facts.name} was made for ${facts.tile.px} px at ${facts.tile.magnification}x`];
}

function candidateNote(d: number): string {
  const names = encodersOfDimension(d);
  const candidates =
    names.length > 0 ? `encoders with ${d} features: ${names.join(", ")}` : `no known encoder has ${d} features`;
  return `the encoder is unknown; ${candidates}`;
}

/** The entries that have a value: with exact optional properties, absent and undefined are two things. */
function definedOf<T extends object>(record: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}
