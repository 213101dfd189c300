import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { trainedModel } from "../../test/lib/requests.ts";
import type { Clients } from "../../test/lib/services.ts";
import { PARENT, uploadSynthetic } from "./synthetic-bags.ts";

/** What of an architecture can be given. */
type Architecture = Parameters<typeof commonV1.Architecture.fromPartial>[0];

const GATED: Architecture = {
  head: {
    trunk: { hidden: [512], dropout: 0.25 },
    kind: { $case: "abmil", value: { attentionWidth: 256, gated: true, dropout: 0.25 } },
  },
};

/** R2T of its default sizes with attention pooling of 128 without a layer before it. */
export const R2T_ABMIL: Architecture = {
  reembedder: { kind: { $case: "r2t", value: {} } },
  head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 128 } } },
};

/**
 * A model for `d` features, gated attention of the usual widths unless told, trained for one epoch: its speed matters, not its
 * skill.
 */
export async function trainThroughGateway(
  clients: Clients,
  d: number,
  architecture: Architecture = GATED,
): Promise<gatewayV1.Model> {
  const bags = [];
  for (let seed = 1; seed <= 4; seed++) {
    const { name } = await uploadSynthetic(clients, { n: 16, d, seed });
    bags.push({ bag: name, labels: [`${seed % 2}`], part: commonV1.Part.PART_TRAIN });
  }
  const request = gatewayV1.TrainRequest.fromPartial({
    parent: PARENT,
    modelId: "benchmark",
    bags,
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["0", "1"] },
      architecture,
      recipe: { epochs: 1, selection: commonV1.Recipe_Selection.SELECTION_LAST, seed: 1n },
      threshold: { kind: commonV1.ThresholdRule_Kind.KIND_FIXED, value: 0.5 },
    },
  });
  return trainedModel(clients, await clients.training.train(request));
}
