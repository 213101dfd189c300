/**
 * @file Heads of the classic multiple-instance protocol: each behind the protocol's own trunk, its attention as wide as the plain one's,
 * its other options at their defaults. TransMIL has half as many landmarks as the trunk is wide, the ratio of its paper: the default of 256
 * is made for slides and fills a bag of five tiles up to 256 places. Fixed before any run.
 */
import { commonV1 } from "@parfocal/protocol";

type Kind = NonNullable<commonV1.Head["kind"]>;

/** What `--heads` may name. */
export const MIL_HEADS: ReadonlyMap<string, Kind> = new Map(
  Object.entries<Kind>({
    mean: kindOf({ mean: {} }),
    max: kindOf({ max: {} }),
    "instance-max": kindOf({ max: { over: "OVER_INSTANCE" } }),
    abmil: kindOf({ abmil: { attentionWidth: 64, dropout: 0 } }),
    "gated-abmil": kindOf({ abmil: { attentionWidth: 64, gated: true, dropout: 0 } }),
    "class-attention": kindOf({ classAttention: { attentionWidth: 64 } }),
    dsmil: kindOf({ dsmil: { queryWidth: 64 } }),
    "clam-sb": kindOf({ clam: { attentionWidth: 64, branches: commonV1.ClamHead_Branches.BRANCHES_SHARED } }),
    "clam-mb": kindOf({ clam: { attentionWidth: 64, branches: commonV1.ClamHead_Branches.BRANCHES_PER_CLASS } }),
    transmil: kindOf({ transmil: { heads: 4, landmarks: 32 } }),
    dtfd: kindOf({ dtfd: { attentionWidth: 64 } }),
    "dtfd-maxs": kindOf({ dtfd: { attentionWidth: 64, distill: "DISTILL_MAX" } }),
    "dtfd-maxmins": kindOf({ dtfd: { attentionWidth: 64, distill: "DISTILL_MAX_MIN" } }),
  }),
);

/** A head from the JSON form of its message, which fills in what is left out. */
function kindOf(head: Readonly<Record<string, object>>): Kind {
  const { kind } = commonV1.Head.fromJSON(head);
  if (kind === undefined) throw new Error(`there is no head ${Object.keys(head).join(", ")}`);
  return kind;
}
