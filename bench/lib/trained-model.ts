import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { trainedModel } from "../../test/lib/requests.ts";
import type { Clients } from "../../test/lib/services.ts";
import { PARENT, uploadSynthetic } from "./synthetic-bags.ts";

/** A gated attention model of the usual widths for `d` features, trained for one epoch: its speed matters, not its skill. */
export async function trainThroughGateway(clients: Clients, d: number): Promise<gatewayV1.Model> {
  const bags = [];
  for (let seed = 1; seed <= 4; seed++) {
    const { name } = await uploadSynthetic(clients, { n: 16, d, seed });
    bags.push({ bag: name, labels: [`${seed % 2}`], part: commonV1.Part.PART_TRAIN });
  }
  const request = gatewayV1.TrainRequest.fromPartial({
    parent: PARENT,
    modelId: "gated-abmil",
    bags,
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["0", "1"] },
      architecture: {
        head: {
          trunk: { hidden: [512], dropout: 0.25 },
          kind: { $case: "abmil", value: { attentionWidth: 256, gated: true, dropout: 0.25 } },
        },
      },
      recipe: { epochs: 1, selection: commonV1.Recipe_Selection.SELECTION_LAST, seed: 1n },
      threshold: { kind: commonV1.ThresholdRule_Kind.KIND_FIXED, value: 0.5 },
    },
  });
  return trainedModel(clients, await clients.training.train(request));
}
