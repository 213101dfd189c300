import { DomainError } from "@parfocal/errors";
import type { pretrainV1 } from "@parfocal/protocol";
import { createMemoryStore } from "@parfocal/store";
import { createEmbeddedDriver, waitForOperation } from "@parfocal/workflows";
import { expect, it } from "vitest";
import type { GatewayDeps } from "../deps.ts";
import { createPretrainWorkflow } from "./pretrain.ts";

type Known = Readonly<{ slideId?: string; patientId?: string }>;

/** The patients' keys that the stage is given for bags of which so much is known. */
async function keysOf(known: readonly Known[]): Promise<string[]> {
  const store = createMemoryStore();
  const ids = known.map((_, index) => index.toString(16).repeat(64));
  let keys: string[] = [];
  const deps = {
    store,
    bags: {
      get: async (_: string, digest: string) => ({
        ref: { key: "k", digest, sizeBytes: 1, n: 1, d: 1, hasCoords: true, dtype: "F32" },
        metadata: known[ids.indexOf(digest)] ?? {},
      }),
    },
    pretrain: {
      async *pretrain({ bags }: pretrainV1.PretrainRequest) {
        keys = bags.map(({ patientKey }) => patientKey);
        throw new DomainError("INVALID_ARGUMENT", "seen");
      },
    },
  } as unknown as Pick<GatewayDeps, "store" | "bags" | "models" | "pretrain">;
  const driver = await createEmbeddedDriver({ store, registry: { pretrain: createPretrainWorkflow(deps) } });
  try {
    const input = { parent: "projects/p", modelId: "m", bags: ids.map((id) => `projects/p/bags/${id}`) };
    const { name } = await driver.start({ project: "p", kind: "pretrain", input });
    const { outcome } = await waitForOperation(driver, name, 30_000, new AbortController().signal);
    expect(outcome).toMatchObject({ kind: "failed", message: "seen" });
    return keys;
  } finally {
    await driver.close();
  }
}

it("keeps bags together by patient, those without a patient by slide, and others apart", async () => {
  const keys = await keysOf([
    { slideId: "s1" },
    { slideId: "s2" },
    { slideId: "s1" },
    { slideId: "s3", patientId: "s1" },
    { slideId: "s4", patientId: "s1" },
    {},
  ]);
  // Empty: a patient of its own. A slide is never taken for the patient of the same name.
  expect(keys.map((key) => (key === "" ? -1 : keys.indexOf(key)))).toEqual([0, 1, 0, 3, 3, -1]);
  expect(keys[3]).toBe("s1");
});
