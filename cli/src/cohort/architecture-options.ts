import { commonV1, messageFields } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { typeOf } from "./spec-paths.ts";

type Kind = NonNullable<commonV1.Head["kind"]>;
type ReembedderCase = NonNullable<commonV1.Reembedder["kind"]>["$case"];

/** What a word for a head stands for in the contract. A head that is added needs its word here, and a line of {@link OWN_TRUNK} if its trunk is its own. */
const HEAD_CASES = {
  mean: "mean",
  max: "max",
  abmil: "abmil",
  "gated-abmil": "abmil",
  "class-attention": "classAttention",
  dsmil: "dsmil",
  "clam-sb": "clam",
  "clam-mb": "clam",
  transmil: "transmil",
  dtfd: "dtfd",
} as const satisfies Record<string, Kind["$case"]>;

/** A head by its word on the command line. */
export type HeadName = keyof typeof HEAD_CASES;

/** Every {@link HeadName}. */
export const HEADS = Object.keys(HEAD_CASES) as readonly HeadName[];

/** The message of the contract that a word for a head stands for. */
export function headCaseOf(head: HeadName): Kind["$case"] {
  return HEAD_CASES[head];
}

/** As {@link HEAD_CASES}, of re-embedders. */
const REEMBEDDER_CASES = {
  none: undefined,
  r2t: "r2t",
  roformer: "roformer",
  "region-mixer": "regionMixer",
  levels: "levels",
} as const satisfies Record<string, ReembedderCase | undefined>;

/** A re-embedder by its word on the command line. */
export type ReembedderName = keyof typeof REEMBEDDER_CASES;

/** Every {@link ReembedderName}. */
export const REEMBEDDERS = Object.keys(REEMBEDDER_CASES) as readonly ReembedderName[];

/** The message of the contract that a word for a re-embedder stands for; of `none` there is none. */
export function reembedderCaseOf(reembedder: ReembedderName): ReembedderCase | undefined {
  return REEMBEDDER_CASES[reembedder];
}

/** What a region mixer gives, by the words of the command line. */
export const MIXER_OUTPUTS = ["contextualised", "compressed"] as const;

/** Options that make an architecture. Absent: what the base says, else the default. */
export interface ArchitectureOptions {
  readonly reembed?: ReembedderName;
  /** Magnifications that are looked at, 0 for the coarsest. */
  readonly levels?: readonly number[];
  readonly mixerOutput?: (typeof MIXER_OUTPUTS)[number];
  readonly head?: HeadName;
  /** Widths between commas, or `none`. */
  readonly hidden?: string;
  readonly attentionWidth?: number;
  readonly dropout?: number;
  readonly attentionDropout?: number;
  readonly standardise?: boolean;
  readonly singleLogit?: boolean;
}

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
  if (wanted === undefined) return base;
  const kind = reembedderCaseOf(wanted);
  if (kind === undefined) return undefined;
  if (kind === base?.kind?.$case) return base;
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
  const isOther = base?.kind !== undefined && base.kind.$case !== kind.$case;
  return { kind, trunk: trunkOf(options, kind, isOther ? undefined : base?.trunk, isReembedded) };
}

/** Heads whose trunk drops nothing unless told. */
const UNDROPPED: ReadonlySet<Kind["$case"]> = new Set(["transmil", "dtfd"]);
const OWN_TRUNK: ReadonlySet<Kind["$case"]> = new Set(["dsmil", "classAttention", "transmil", "dtfd"]);

/** Nothing where the service's own default for the head is meant. `before`: the trunk of a base that has the same head. */
function trunkOf(
  { hidden, dropout }: ArchitectureOptions,
  kind: Kind,
  before: commonV1.Trunk | undefined,
  isReembedded: boolean,
): commonV1.Trunk | undefined {
  const isTouched = hidden !== undefined || dropout !== undefined;
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
  if (attentionWidth !== undefined) assertHas(wanted, "attentionWidth", "--attention-width");
  if (kind.$case === "abmil") return { $case: "abmil", value: abmilOf(options, kind.value) };
  if (attentionDropout !== undefined) assertHas(wanted, "attentionDropout", "--attention-dropout");
  const changed = withNumbers(kind, { attentionWidth, attentionDropout });
  if (changed.$case !== "clam") return changed;
  return { $case: "clam", value: { ...changed.value, branches: clamBranches(options, changed.value) } };
}

type AttentionNumber = "attentionWidth" | "attentionDropout";

/** @throws {UsageError} naming the heads whose message of the contract has the field, when the one of `kind` has not. */
function assertHas(kind: Kind["$case"], field: AttentionNumber, option: string): void {
  const fits = (head: Kind["$case"]) =>
    messageFields(typeOf("Head", head) ?? "").some(({ name }) => name === field) ||
    // Its dropout, which is of the attention, has a shorter name.
    (head === "abmil" && field === "attentionDropout");
  if (fits(kind)) return;
  throw new UsageError(`${option} is for ${HEADS.filter((head) => fits(headCaseOf(head))).join(", ")}`);
}

/** The head with those of the numbers that were given. */
function withNumbers(kind: Kind, numbers: Readonly<Partial<Record<AttentionNumber, number | undefined>>>): Kind {
  const json = commonV1.Head.toJSON({ trunk: undefined, kind }) as Readonly<Record<string, object>>;
  const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
  return commonV1.Head.fromJSON({ [kind.$case]: { ...json[kind.$case], ...given } }).kind ?? kind;
}

function clamBranches({ head }: ArchitectureOptions, before: commonV1.ClamHead): commonV1.ClamHead_Branches {
  if (head === "clam-sb") return commonV1.ClamHead_Branches.BRANCHES_SHARED;
  return head === "clam-mb" ? commonV1.ClamHead_Branches.BRANCHES_PER_CLASS : before.branches;
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
