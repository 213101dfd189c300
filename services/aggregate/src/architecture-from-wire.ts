import { commonV1 } from "@parfocal/protocol";
import { ACTIVATIONS, choice, defined, type Fields, missing } from "@parfocal/stage";
import { reembedderFromWire } from "./reembedder-from-wire.ts";

/**
 * An architecture as the JSON that `parseModelConfig` reads, but for the task.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a missing part or an enum value that means nothing.
 */
export function architectureFromWire({ head, standardise, reembedder }: commonV1.Architecture): Fields {
  if (head === undefined) throw missing("spec.architecture.head");
  return defined({ standardise, reembed: reembedder && reembedderFromWire(reembedder), head: headFromWire(head) });
}

function trunkFromWire(trunk: commonV1.Trunk | undefined): Fields {
  if (trunk === undefined) return {};
  const activation = choice("trunk.activation", ACTIVATIONS, commonV1.activationToJSON(trunk.activation));
  return defined({ hidden: trunk.hidden, activation, dropout: trunk.dropout });
}

function headFromWire(head: commonV1.Head): Fields {
  const trunk = trunkFromWire(head.trunk);
  switch (head.kind?.$case) {
    case undefined:
      throw missing("spec.architecture.head.kind");
    case "mean":
      return { kind: "mean", ...trunk };
    case "max":
      return defined({ kind: "max", ...trunk, level: levelFromWire(head.kind.value) });
    case "abmil":
      return defined({ ...trunk, ...attentionFromWire(head.kind.value) });
    case "classAttention":
      return defined({ kind: "class-attention", ...trunk, ...classAttentionFromWire(head.kind.value) });
    case "dsmil":
      return defined({ kind: "dsmil", ...trunk, ...dsmilFromWire(head.kind.value) });
    case "clam":
      return defined({ kind: "clam", ...trunk, ...clamFromWire(head.kind.value) });
    case "transmil":
      return defined({ kind: "transmil", ...trunk, ...head.kind.value });
    case "dtfd":
      return defined({ kind: "dtfd", ...trunk, ...dtfdFromWire(head.kind.value) });
  }
}

function levelFromWire({ over }: commonV1.MaxHead): string | undefined {
  const levels = { OVER_UNSPECIFIED: undefined, OVER_EMBEDDING: "embedding", OVER_INSTANCE: "instance" };
  return choice<string | undefined>("max.over", levels, commonV1.maxHead_OverToJSON(over));
}

function attentionFromWire(abmil: commonV1.AbmilHead): Fields {
  const branches = { BRANCHES_UNSPECIFIED: undefined, BRANCHES_SHARED: "single", BRANCHES_PER_CLASS: "per-class" };
  return {
    kind: abmil.gated ? "gated-abmil" : "abmil",
    attentionWidth: abmil.attentionWidth,
    attentionDropout: abmil.dropout,
    attentionActivation: choice("abmil.activation", ACTIVATIONS, commonV1.activationToJSON(abmil.activation)),
    attentionBias: abmil.bias,
    branches: choice<string | undefined>("abmil.branches", branches, commonV1.abmilHead_BranchesToJSON(abmil.branches)),
  };
}

function classAttentionFromWire({ branches, attentionWidth, heads }: commonV1.ClassAttentionHead): Fields {
  const table = { BRANCHES_UNSPECIFIED: undefined, BRANCHES_SHARED: "single", BRANCHES_PER_CLASS: "per-class" };
  const name = commonV1.classAttentionHead_BranchesToJSON(branches);
  return { attentionWidth, heads, branches: choice<string | undefined>("class_attention.branches", table, name) };
}

function dsmilFromWire({ value, query, valueIsLinear, ...numbers }: commonV1.DsmilHead): Fields {
  const values = { VALUE_UNSPECIFIED: undefined, VALUE_IDENTITY: "identity", VALUE_LEARNED: "learned" };
  const queries = { QUERY_UNSPECIFIED: undefined, QUERY_DEEP: "deep", QUERY_LINEAR: "linear" };
  return {
    ...numbers,
    value: choice<string | undefined>("dsmil.value", values, commonV1.dsmilHead_ValueToJSON(value)),
    query: choice<string | undefined>("dsmil.query", queries, commonV1.dsmilHead_QueryToJSON(query)),
    valueActivation: valueIsLinear ? "none" : undefined,
  };
}

function clamFromWire({ branches, instanceLoss, bagLoss, ...rest }: commonV1.ClamHead): Fields {
  const table = { BRANCHES_UNSPECIFIED: undefined, BRANCHES_SHARED: "single", BRANCHES_PER_CLASS: "per-class" };
  const losses = { LOSS_UNSPECIFIED: undefined, LOSS_CROSS_ENTROPY: "ce", LOSS_SMOOTH_SVM: "svm" };
  const lossOf = (field: string, loss: commonV1.ClamHead_Loss) =>
    choice<string | undefined>(`clam.${field}`, losses, commonV1.clamHead_LossToJSON(loss));
  return {
    ...rest,
    branches: choice<string | undefined>("clam.branches", table, commonV1.clamHead_BranchesToJSON(branches)),
    instanceLoss: lossOf("instance_loss", instanceLoss),
    bagLoss: lossOf("bag_loss", bagLoss),
  };
}

function dtfdFromWire({ distill, ...numbers }: commonV1.DtfdHead): Fields {
  const table = { DISTILL_UNSPECIFIED: undefined, DISTILL_AFS: "afs", DISTILL_MAX: "max", DISTILL_MAX_MIN: "max-min" };
  const name = commonV1.dtfdHead_DistillToJSON(distill);
  return { ...numbers, distill: choice<string | undefined>("dtfd.distill", table, name) };
}
