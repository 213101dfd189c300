import { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";

/** Re-embedders by the words of the command line. */
export const REEMBEDDERS = ["none", "r2t", "roformer", "region-mixer", "levels"] as const;

/** What a region mixer gives, by the words of the command line. */
export const MIXER_OUTPUTS = ["contextualised", "compressed"] as const;

/** Heads by the words of the command line. */
export const HEADS = ["mean", "max", "abmil", "gated-abmil", "class-attention", "dsmil"] as const;

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
  // These two have defaults that depend on more than is known here.
  if (!isTouched && (kind.$case === "dsmil" || kind.$case === "classAttention")) return undefined;
  const usual = isReembedded || kind.$case === "dsmil" ? [] : DEFAULT_HIDDEN;
  return {
    hidden: hidden === undefined ? (before?.hidden ?? usual) : widthsOf(hidden),
    activation: before?.activation ?? commonV1.Activation.ACTIVATION_UNSPECIFIED,
    dropout: dropout ?? before?.dropout ?? DEFAULT_DROPOUT,
  };
}

function poolingOf(options: ArchitectureOptions, base: commonV1.Head["kind"]): Kind {
  const wanted = caseOf(options.head) ?? base?.$case ?? "abmil";
  const kind = wanted === base?.$case ? base : defaultKind(wanted);
  if (options.attentionDropout !== undefined && kind.$case !== "abmil")
    throw new UsageError("--attention-dropout is for abmil and gated-abmil");
  switch (kind.$case) {
    case "abmil":
      return { $case: "abmil", value: abmilOf(options, kind.value) };
    case "classAttention": {
      const attentionWidth = options.attentionWidth ?? kind.value.attentionWidth;
      return { $case: "classAttention", value: { ...kind.value, attentionWidth } };
    }
    default:
      if (options.attentionWidth === undefined) return kind;
      throw new UsageError(
        "--attention-width is for heads with an attention layer: abmil, gated-abmil, class-attention",
      );
  }
}

function caseOf(head: ArchitectureOptions["head"]): Kind["$case"] | undefined {
  if (head === "gated-abmil") return "abmil";
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
