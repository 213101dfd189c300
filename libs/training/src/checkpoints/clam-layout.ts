import { DomainError } from "@parfocal/errors";
import { type CheckpointLayout, type ForeignTensors, numberedTask, shapeOf } from "./layout.ts";

/** The stack of layers in front of the classifiers; training on several devices puts its own name behind. */
const STACKS = ["attention_net.module", "attention_net"] as const;

/**
 * Checkpoints of the public CLAM program: CLAM-SB (`attention_net`, `classifiers`, `instance_classifiers`) and CLAM-MB, whose classifiers
 * are numbered. `k_sample` leaves no trace and changes no prediction.
 *
 * Source: mahmoodlab/CLAM at 53e2409, names and shapes alone.
 */
export const clamLayout: CheckpointLayout = {
  name: "clam",
  isOf: (tensors) => stackOf(tensors) !== undefined && tensors.has("instance_classifiers.0.weight"),
  read(tensors, settings) {
    const stack = stackOf(tensors) ?? "";
    const attention = attentionOf(tensors, stack);
    const [width = 0, dIn = 0] = shapeOf(tensors, `${stack}.0.weight`, 2);
    const [attentionWidth = 0] = shapeOf(tensors, `${attention.name}.attention_a.0.weight`, 2);
    const classifiers = namesOf(tensors, /^classifiers\.\d+\.weight$/u).map((name) => name.replace(/\.weight$/u, ""));
    const isMulti = classifiers.length > 0;
    const nLogits = isMulti ? classifiers.length : (shapeOf(tensors, "classifiers.weight", 2)[0] ?? 0);
    const head = {
      kind: "clam",
      hidden: [width],
      dropout: attention.dropout,
      attentionWidth,
      attentionDropout: attention.dropout,
      branches: isMulti ? "per-class" : "single",
      instances: settings.count("k_sample", 8),
    };
    const layers: ReadonlyMap<string, string> = new Map([
      ["head.trunk.0", `${stack}.0`],
      ["head.attention.v", `${attention.name}.attention_a.0`],
      ["head.attention.u", `${attention.name}.attention_b.0`],
      ["head.attention.w", `${attention.name}.attention_c`],
    ]);
    return {
      model: { dIn, head },
      nLogits,
      defaultTask: () => numberedTask(nLogits),
      idle: [`${attention.name}.attention_c.bias`, ...namesOf(tensors, /^instance_loss_fn\./u)],
      foreignName(parameter) {
        const dot = parameter.lastIndexOf(".");
        const [layer, part] = [parameter.slice(0, dot), parameter.slice(dot)];
        if (layer === "head.classifier") return isMulti ? classifiers.map((name) => name + part) : `classifiers${part}`;
        return (layers.get(layer) ?? layer.replace("head.instance.", "instance_classifiers.")) + part;
      },
    };
  },
};

function stackOf(tensors: ForeignTensors): string | undefined {
  return STACKS.find((name) => tensors.has(`${name}.0.weight`));
}

/** In the order of their numbers. */
function namesOf(tensors: ForeignTensors, pattern: RegExp): string[] {
  const numberIn = (name: string) => Number(/\d+/u.exec(name)?.[0] ?? 0);
  return [...tensors.keys()].filter((name) => pattern.test(name)).sort((a, b) => numberIn(a) - numberIn(b));
}

/** The attention, whose number in the stack tells whether there is dropout. @throws {DomainError} For one without a gate. */
function attentionOf(tensors: ForeignTensors, stack: string): { readonly name: string; readonly dropout: number } {
  const numbers = [2, 3] as const;
  const gated = numbers.find((i) => tensors.has(`${stack}.${i}.attention_a.0.weight`));
  if (gated !== undefined) return { name: `${stack}.${gated}`, dropout: gated === 3 ? 0.25 : 0 };
  throw new DomainError(
    "UNSUPPORTED_FORMAT",
    "a CLAM checkpoint without gated attention; only gated ones are imported",
  );
}
