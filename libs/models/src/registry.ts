import { DomainError } from "@parfocal/errors";
import type { tf } from "@parfocal/tensor";
import { depthByName } from "./depth-by-name.ts";
import { abmilHead } from "./heads/abmil.ts";
import { clamHead } from "./heads/clam.ts";
import { classAttentionHead } from "./heads/class-attention.ts";
import { dsmilHead } from "./heads/dsmil.ts";
import { dtfdHead } from "./heads/dtfd.ts";
import { gatedAbmilHead } from "./heads/gated-abmil.ts";
import { maxHead } from "./heads/max.ts";
import { meanHead } from "./heads/mean.ts";
import { noHead } from "./heads/none.ts";
import { transmilHead } from "./heads/transmil.ts";
import type {
  DepthRule,
  FoldedReembedder,
  ForwardContext,
  HeadConfig,
  HeadDefaults,
  HeadDefinition,
  HeadOutput,
  HeadWidths,
  OutputRows,
  ReembedderConfig,
  ReembedderDefinition,
  ReembedderInput,
  ReembedderOutput,
  RegionRule,
  SideInput,
  StageDeclaration,
} from "./model.ts";
import { levelSelection } from "./reembedders/levels.ts";
import { noReembedder } from "./reembedders/none.ts";
import { r2tReembedder } from "./reembedders/r2t.ts";
import { regionMixer } from "./reembedders/region-mixer.ts";
import { roformerReembedder } from "./reembedders/roformer.ts";

/** Every head. Adding one: its file in `heads/` and its line here. */
const HEADS: readonly HeadEntry[] = [
  headEntry(meanHead),
  headEntry(maxHead),
  headEntry(abmilHead),
  headEntry(gatedAbmilHead),
  headEntry(dsmilHead),
  headEntry(clamHead),
  headEntry(classAttentionHead),
  headEntry(transmilHead),
  headEntry(dtfdHead),
  headEntry(noHead),
];

/** Every re-embedder. Adding one: its file in `reembedders/` and its line here. */
const REEMBEDDERS: readonly ReembedderEntry[] = [
  reembedderEntry(noReembedder),
  reembedderEntry(r2tReembedder),
  reembedderEntry(roformerReembedder),
  reembedderEntry(regionMixer),
  reembedderEntry(levelSelection),
];

/** A head whose configuration has been read: what is left are questions about widths and tensors. */
export interface Head {
  readonly config: HeadConfig;
  declare(widths: HeadWidths): StageDeclaration;
  countBranches(widths: HeadWidths): number;
  forward(tiles: tf.Tensor2D, context: ForwardContext, widths: HeadWidths): HeadOutput;
}

/** A re-embedder whose configuration has been read. */
export interface Reembedder {
  readonly config: ReembedderConfig;
  readonly sideInputs: readonly SideInput[];
  /** What feeders of `kept` and `regions` must know; absent when neither is asked for. */
  readonly regions?: RegionRule;
  readonly outputRows: OutputRows;
  /** Whether feeders leave out all but the first tile of each cell. */
  readonly hasUniqueCells: boolean;
  outputWidth(dIn: number): number;
  declare(dIn: number): StageDeclaration;
  /** Which parameters lie how deep. */
  depth(dIn: number): DepthRule;
  /** The layers that look at one tile at a time, if the re-embedder begins with such. */
  readonly stem?: Stem;
  /** What serves in its place; absent: it serves as it is. */
  readonly folded?: FoldedReembedder;
  forward(input: ReembedderInput, context: ForwardContext): ReembedderOutput;
}

/** A re-embedder's per-tile layers whose configuration has been read. */
interface Stem {
  outputWidth(dIn: number): number;
  forward(tiles: tf.Tensor2D, context: ForwardContext): tf.Tensor2D;
}

interface HeadEntry {
  readonly kind: string;
  parse(json: unknown, defaults: HeadDefaults): Head;
}

interface ReembedderEntry {
  readonly kind: string;
  parse(json: unknown): Reembedder;
}

/** The kinds of heads, for messages and help texts. */
export const HEAD_KINDS: readonly string[] = HEADS.map((entry) => entry.kind);

/** The kinds of re-embedders. */
export const REEMBEDDER_KINDS: readonly string[] = REEMBEDDERS.map((entry) => entry.kind);

/**
 * The head that `json` configures.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an unknown kind (naming the known ones) or a bad field.
 */
export function parseHead(json: unknown, defaults: HeadDefaults): Head {
  return entryOf(HEADS, json, "head").parse(json, defaults);
}

/**
 * The re-embedder that `json` configures.
 *
 * @throws {DomainError} As {@link parseHead}.
 */
export function parseReembedder(json: unknown): Reembedder {
  return entryOf(REEMBEDDERS, json, "reembed").parse(json);
}

function entryOf<T extends { readonly kind: string }>(entries: readonly T[], json: unknown, where: string): T {
  const kind: unknown = typeof json === "object" && json !== null && "kind" in json ? json.kind : undefined;
  const entry = entries.find((candidate) => candidate.kind === kind);
  if (entry !== undefined) return entry;
  const known = entries.map((candidate) => candidate.kind).join(", ");
  const shown = kind === undefined ? "absent" : JSON.stringify(kind);
  throw new DomainError("INVALID_ARGUMENT", `${where}.kind is ${shown}; it must be one of ${known}`);
}

function headEntry<C extends HeadConfig>(definition: HeadDefinition<C>): HeadEntry {
  return {
    kind: definition.kind,
    parse(json, defaults) {
      const config = definition.parseConfig(json, defaults);
      return {
        config,
        declare: (widths) => definition.declare(config, widths),
        countBranches: (widths) => definition.countBranches(config, widths),
        forward: (tiles, context, widths) => definition.forward(config, tiles, context, widths),
      };
    },
  };
}

function reembedderEntry<C extends ReembedderConfig>(definition: ReembedderDefinition<C>): ReembedderEntry {
  return {
    kind: definition.kind,
    parse(json) {
      const config = definition.parseConfig(json);
      const { stem } = definition;
      const folded = definition.folded?.(config);
      return {
        config,
        ...(stem && {
          stem: {
            outputWidth: (dIn) => stem.outputWidth(config, dIn),
            forward: (tiles, context) => stem.forward(config, tiles, context),
          },
        }),
        ...(folded && { folded }),
        sideInputs: definition.sideInputs(config),
        ...(definition.regions && { regions: definition.regions(config) }),
        outputRows: definition.outputRows?.(config) ?? "tiles",
        hasUniqueCells: definition.hasUniqueCells?.(config) ?? false,
        outputWidth: (dIn) => definition.outputWidth(config, dIn),
        declare: (dIn) => definition.declare(config, dIn),
        depth: (dIn) => definition.depth?.(config) ?? depthByName(definition.declare(config, dIn).parameters),
        forward: (input, context) => definition.forward(config, input, context),
      };
    },
  };
}
