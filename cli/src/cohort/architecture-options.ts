import { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";

/** Re-embedders by the words of the command line. */
export const REEMBEDDERS = ["none", "r2t", "roformer", "region-mixer", "levels"] as const;

/** What a region mixer gives, by the words of the command line. */
export const MIXER_OUTPUTS = ["contextualised", "compressed"] as const;

/** Heads by the words of the command line. */
export const HEADS = [
  "mean",
  "max",
  "abmil",
  "gated-abmil",
  "class-attention",
  "dsmil",
  "clam-sb",
  "clam-mb",
  "transmil",
  "dtfd",
] as const;

/** Options that make an architecture. Absent: what the base says, else the default. */
export interface ArchitectureOptions {
  readonly reembed?: (typeof REEMBEDDERS)[number];
  /** Magnifications that are looked at, 0 for the coarsest. */
  readonly levels?: readonly number[];
  readonly mixerOutput?: (typeof MIXER_OUTPUTS)[number];
  readonly head?: (typeof HEADS)[number];
  /** Widths between commas, or `none`. */
  readonly hidden?: string;
  readonly attentionWidth?: number;
  readonly dropout?: number;
  readonly attentionDropout?: number;
  readonly standardise?: boolean;
  readonly singleLogit?: boolean;
}

type Kind = NonNullable<commonV1.Head["kind"]>;

const DEFAULT_HIDDEN = [512];
const DEFAULT_DROPOUT = 0.25;
const DEFAULT_ATTENTION_WIDTH = 256;

/**
 * The architecture of `base` with what the options change. Of another kind of pooling or re-embedder than the base's every value is
 * the default. Without a base, tiles behind a re-embedder are pooled as they come.
 *
 * @throws {UsageError} for an option that means nothing, or nothing to this head.
 */
export function architectureFromOptions(
  options: ArchitectureOptions,
  base: commonV1.Architecture | undefined,
): commonV1.Architecture {
  const reembedder = regionalReembedder(options, reembedderOf(options.reembed, base?.reembedder));
  return {
    head: headOf(options, base?.head, reembedder !== undefined),
    standardise: options.standardise ?? base?.standardise ?? false,
    singleLogit: options.singleLogit ?? base?.singleLogit ?? false,
    reembedder,
  };
}

function reembedderOf(
  wanted: ArchitectureOptions["reembed"],
  base: commonV1.Reembedder | undefined,
): commonV1.Reembedder | undefined {
  const kind = wanted === "region-mixer" ? "regionMixer" : wanted;
  if (kind === undefined || kind === base?.kind?.$case) return base;
  if (kind === "none") return undefined;
  return commonV1.Reembedder.fromJSON({ [kind]: {} });
}

const OUTPUTS = {
  contextualised: commonV1.RegionMixer_Output.OUTPUT_CONTEXTUALISED,
  compressed: commonV1.RegionMixer_Output.OUTPUT_COMPRESSED,
};

/** The re-embedder with the options that are for those that look at magnifications. */
function regionalReembedder(
  { levels, mixerOutput }: ArchitectureOptions,
  reembedder: commonV1.Reembedder | undefined,
): commonV1.Reembedder | undefined {
  const kind = reembedder?.kind;
  if (mixerOutput !== undefined && kind?.$case !== "regionMixer")
    throw new UsageError("--mixer-output is for --reembed region-mixer");
  const wanted = levels === undefined ? {} : { levels: [...levels] };
  switch (kind?.$case) {
    case "regionMixer": {
      const output = mixerOutput === undefined ? kind.value.output : OUTPUTS[mixerOutput];
      return { kind: { $case: "regionMixer", value: { ...kind.value, ...wanted, output } } };
    }
    case "levels":
      return { kind: { $case: "levels", value: { ...kind.value, ...wanted } } };
    default:
      if (levels === undefined) return reembedder;
      throw new UsageError("--levels is for --reembed region-mixer and levels");
  }
}

function headOf(options: ArchitectureOptions, base: commonV1.Head | undefined, isReembedded: boolean): commonV1.Head {
  const kind = poolingOf(options, base?.kind);
  return { kind, trunk: trunkOf(options, kind, base, isReembedded) };
}

/** Heads whose trunk drops nothing unless told. */
const UNDROPPED: ReadonlySet<Kind["$case"]> = new Set(["transmil", "dtfd"]);
const OWN_TRUNK: ReadonlySet<Kind["$case"]> = new Set(["dsmil", "classAttention", "transmil", "dtfd"]);

/** Nothing where the service's own default for the head is meant. */
function trunkOf(
  { hidden, dropout }: ArchitectureOptions,
  kind: Kind,
  base: commonV1.Head | undefined,
  isReembedded: boolean,
): commonV1.Trunk | undefined {
  const isTouched = hidden !== undefined || dropout !== undefined;
  const before = base?.trunk;
  if (!isTouched && before !== undefined) return before;
  // These have defaults of their own, or such that depend on more than is known here.
  if (!isTouched && OWN_TRUNK.has(kind.$case)) return undefined;
  const usual = isReembedded || kind.$case === "dsmil" ? [] : DEFAULT_HIDDEN;
  return {
    hidden: hidden === undefined ? (before?.hidden ?? usual) : widthsOf(hidden),
    activation: before?.activation ?? commonV1.Activation.ACTIVATION_UNSPECIFIED,
    dropout: dropout ?? before?.dropout ?? (UNDROPPED.has(kind.$case) ? 0 : DEFAULT_DROPOUT),
  };
}

function poolingOf(options: ArchitectureOptions, base: commonV1.Head["kind"]): Kind {
  const wanted = (options.head && headCaseOf(options.head)) ?? base?.$case ?? "abmil";
  const kind = wanted === base?.$case ? base : defaultKind(wanted);
  const { attentionWidth, attentionDropout } = options;
  const given = defined({ attentionWidth, attentionDropout });
  switch (kind.$case) {
    case "abmil":
      return { $case: "abmil", value: abmilOf(options, kind.value) };
    case "clam":
      return { $case: "clam", value: { ...kind.value, ...given, branches: clamBranches(options, kind.value) } };
    case "dtfd":
      return { $case: "dtfd", value: { ...kind.value, ...given } };
    case "transmil":
      assertAbsent(attentionWidth, WIDTH_HEADS);
      return { $case: "transmil", value: { ...kind.value, ...given } };
    case "classAttention":
      assertAbsent(attentionDropout, DROPOUT_HEADS);
      return { $case: "classAttention", value: { ...kind.value, ...given } };
    default:
      assertAbsent(attentionDropout, DROPOUT_HEADS);
      assertAbsent(attentionWidth, WIDTH_HEADS);
      return kind;
  }
}

const DROPOUT_HEADS = "--attention-dropout is for abmil, gated-abmil, clam-sb, clam-mb, transmil and dtfd";
const WIDTH_HEADS =
  "--attention-width is for heads with an attention layer: abmil, gated-abmil, class-attention, clam-sb, clam-mb, dtfd";

function assertAbsent(value: number | undefined, message: string): void {
  if (value !== undefined) throw new UsageError(message);
}

/** What was given, without what was not. */
function defined(numbers: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(numbers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function clamBranches({ head }: ArchitectureOptions, before: commonV1.ClamHead): commonV1.ClamHead_Branches {
  if (head === "clam-sb") return commonV1.ClamHead_Branches.BRANCHES_SHARED;
  return head === "clam-mb" ? commonV1.ClamHead_Branches.BRANCHES_PER_CLASS : before.branches;
}

/** The message of the contract that a word for a head stands for. */
export function headCaseOf(head: (typeof HEADS)[number]): Kind["$case"] {
  if (head === "gated-abmil") return "abmil";
  if (head === "clam-sb" || head === "clam-mb") return "clam";
  return head === "class-attention" ? "classAttention" : head;
}

/** A head of which nothing is said but what must be. */
function defaultKind(wanted: Kind["$case"]): Kind {
  const abmil = { attentionWidth: DEFAULT_ATTENTION_WIDTH, gated: true };
  const { kind } = commonV1.Head.fromJSON({ [wanted]: wanted === "abmil" ? abmil : {} });
  if (kind === undefined) throw new UsageError(`--head ${wanted} is no head`);
  return kind;
}

function abmilOf(options: ArchitectureOptions, before: commonV1.AbmilHead): commonV1.AbmilHead {
  return {
    ...before,
    attentionWidth: options.attentionWidth ?? before.attentionWidth,
    gated: options.head === undefined ? before.gated : options.head === "gated-abmil",
    dropout: options.attentionDropout ?? before.dropout,
  };
}

function widthsOf(text: string): number[] {
  if (text === "none") return [];
  const widths = text.split(",").map(Number);
  if (widths.every((width) => Number.isInteger(width) && width >= 1)) return widths;
  throw new UsageError(`--hidden "${text}" is neither whole numbers with commas between them nor none`);
}
