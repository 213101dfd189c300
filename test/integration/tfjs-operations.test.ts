import { buildModel } from "@parfocal/models";
import { loadEagerBackend, runEagerly } from "@parfocal/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../../libs/tensor/src/testing/expect-close.ts";
import {
  differentiatedBy,
  drawFeeds,
  gradientOptions,
  type OpCase,
  valueOptions,
} from "../../libs/tensor/src/testing/op-case.ts";
import { elementwiseCases } from "../../libs/tensor/src/testing/op-cases-elementwise.ts";
import { operationCases } from "../../libs/tensor/src/testing/op-cases-operations.ts";
import { regionCases } from "../../libs/tensor/src/testing/op-cases-regions.ts";
import { structureCases } from "../../libs/tensor/src/testing/op-cases-structure.ts";
import { gradStepBuild, logitsBuild } from "../../libs/training/src/step-graphs.ts";
import { distance, modelTensors, only } from "../../libs/training/src/testing/graph-runs.ts";
import { whyNoTfjs } from "./tfjs-node-gpu.ts";

const reason = whyNoTfjs();
if (reason !== undefined) console.warn(`skipping operations by TensorFlow: ${reason}`);

const OPERATIONS = [...elementwiseCases, ...structureCases, ...operationCases, ...regionCases];

/** What the package refuses in words; no model uses it. */
const REFUSED = "conv2d padded, dilated";

/** As captured graphs are held to tfjs's own kernels (`libs/tensor/src/operations*.test.ts`). */
const VALUE_TOLERANCE = 2e-6;
const GRADIENT_TOLERANCE = 1e-5;

const D = 12;
const HEAD = { kind: "gated-abmil", hidden: [10], attentionWidth: 4 };
const R2T = { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2 };
const MODELS = {
  "gated ABMIL": { head: HEAD },
  "CLAM with one branch": { head: { kind: "clam", hidden: [10], attentionWidth: 4, instances: 4, subtyping: true } },
  "CLAM with a branch per class": {
    head: { kind: "clam", hidden: [10], attentionWidth: 4, instances: 4, branches: "per-class", instanceLoss: "ce" },
  },
  DSMIL: { head: { kind: "dsmil", queryWidth: 4 } },
  TransMIL: { head: { kind: "transmil", hidden: [8], heads: 2, landmarks: 8, convTaps: 9 } },
  DTFD: { head: { kind: "dtfd", hidden: [8], attentionWidth: 4, groups: 3, distill: "max", instances: 2 } },
  "R2T + ABMIL": { head: HEAD, reembed: R2T },
  "R2T corrected + ABMIL": { head: HEAD, reembed: { ...R2T, compat: "corrected", regionNum: 2 } },
  "RoFormer + ABMIL": { head: HEAD, reembed: { kind: "roformer", width: 16, heads: 2 } },
};

describe.skipIf(reason !== undefined)("TensorFlow gives what tfjs's own kernels give", () => {
  let backend: string;
  beforeAll(async () => {
    backend = await loadEagerBackend("tfjs-node-gpu");
  });

  it(`but for one operation, which it refuses: ${REFUSED}`, () => {
    const refused = OPERATIONS.find(({ name }) => name === REFUSED)!;
    expect(() => runEagerly(valueOptions(refused), drawFeeds(refused.inputs), backend)).toThrow("padding was NUMBER");
  });

  it.each(OPERATIONS.filter(({ name }) => name !== REFUSED))("$name", (opCase: OpCase) => {
    const [options, feeds] = [valueOptions(opCase), drawFeeds(opCase.inputs)];
    const [found, wanted] = [runEagerly(options, feeds, backend), runEagerly(options, feeds)];
    expectClose(found.y!, wanted.y!, VALUE_TOLERANCE);
  });

  it.each(OPERATIONS.filter((opCase) => differentiatedBy(opCase).length > 0 && opCase.hasEagerGradient !== false))(
    "$name: gradients",
    (opCase: OpCase) => {
      const [options, feeds] = [gradientOptions(opCase), drawFeeds(opCase.inputs)];
      const [found, wanted] = [runEagerly(options, feeds, backend), runEagerly(options, feeds)];
      expect(Object.keys(wanted)).not.toHaveLength(0);
      for (const [name, tensor] of Object.entries(wanted)) expectClose(found[name]!, tensor, GRADIENT_TOLERANCE);
    },
  );

  describe.each(Object.entries(MODELS))("%s", (_name, config) => {
    const model = buildModel({ dIn: D, ...config, task: { kind: "binary", classes: ["no", "yes"] } });

    it.each([1, 2, 9, 50, 257])("logits, loss and gradients of %i tiles", (nTiles) => {
      for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
        const tensors = only(modelTensors(model, nTiles), options.inputs);
        const [found, wanted] = [runEagerly(options, tensors, backend), runEagerly(options, tensors)];
        expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
        for (const [name, { data }] of Object.entries(wanted)) {
          expect(distance(found[name]?.data as Float32Array, data as Float32Array), name).toBeLessThan(1e-5);
        }
      }
    });
  });
});
