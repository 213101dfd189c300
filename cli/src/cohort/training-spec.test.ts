import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commonV1 } from "@parfocal/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTrainingSpec, readTrainingSpec } from "./training-spec.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-spec-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function specFile(json: unknown): Promise<string> {
  const path = join(folder, "spec.json");
  await writeFile(path, typeof json === "string" ? json : JSON.stringify(json));
  return path;
}

describe("the specification that options make", () => {
  it("is a gated ABMIL of the documented widths without any", () => {
    const { architecture, recipe } = createTrainingSpec({});
    expect(architecture?.head?.trunk).toMatchObject({ hidden: [512], dropout: 0.25 });
    expect(architecture?.head?.kind).toMatchObject({ $case: "abmil", value: { attentionWidth: 256, gated: true } });
    expect(recipe?.seed).toBe(1n);
    expect(recipe?.epochs).toBeUndefined();
  });

  it("has what the options say", () => {
    const spec = createTrainingSpec({
      head: "mean",
      hidden: "none",
      epochs: 3,
      optimiser: "sgd",
      lr: 0.1,
      schedule: "plateau",
      earlyStopping: 4,
      classWeights: "balanced",
      selection: "last",
      validation: 0,
      threshold: "sensitivity=0.95",
      seed: 18446744073709551615n,
    });
    expect(spec.architecture?.head).toMatchObject({ trunk: { hidden: [] }, kind: { $case: "mean" } });
    expect(spec.recipe).toMatchObject({ epochs: 3, earlyStopping: { patience: 4 }, seed: 18446744073709551615n });
    expect(spec.recipe?.optimiser).toMatchObject({ kind: commonV1.Optimiser_Kind.KIND_SGD, learningRate: 0.1 });
    expect(spec.split).toEqual({ validationFraction: 0, testFraction: undefined });
    expect(spec.threshold).toEqual({ kind: commonV1.ThresholdRule_Kind.KIND_SENSITIVITY, value: 0.95 });
  });

  it("keeps what the file says where no option speaks", async () => {
    const base = await readTrainingSpec(
      await specFile({
        architecture: { head: { trunk: { hidden: [64] }, max: { over: "OVER_INSTANCE" } }, standardise: true },
        recipe: { epochs: 7, seed: "9" },
      }),
    );
    const spec = createTrainingSpec({ epochs: 2, dropout: 0.1 }, base);
    expect(spec.architecture).toMatchObject({ standardise: true, head: { trunk: { hidden: [64], dropout: 0.1 } } });
    expect(spec.architecture?.head?.kind?.$case).toBe("max");
    expect(spec.recipe).toMatchObject({ epochs: 2, seed: 9n });
  });

  it("has the re-embedder asked for, with tiles pooled as they come behind it", () => {
    const { architecture } = createTrainingSpec({ reembed: "r2t" });
    expect(architecture?.reembedder?.kind?.$case).toBe("r2t");
    expect(architecture?.head).toMatchObject({ trunk: { hidden: [] }, kind: { value: { gated: true } } });
    const other = createTrainingSpec({ reembed: "roformer", head: "class-attention", attentionWidth: 64 }).architecture;
    expect(other?.reembedder?.kind?.$case).toBe("roformer");
    // The service has a default of its own for the layers of this head.
    expect(other?.head?.trunk).toBeUndefined();
    expect(other?.head?.kind).toMatchObject({ $case: "classAttention", value: { attentionWidth: 64 } });
  });

  it("has the head asked for by its own name, with the service's defaults", () => {
    const headOf = (options: Parameters<typeof createTrainingSpec>[0]) =>
      createTrainingSpec(options).architecture?.head;
    expect(headOf({ head: "clam-sb" })).toMatchObject({ trunk: { hidden: [512] }, kind: { $case: "clam", value: { branches: 1 } } }); // biome-ignore format: one line
    const mb = headOf({ head: "clam-mb", attentionWidth: 384, attentionDropout: 0 });
    expect(mb?.kind).toMatchObject({ value: { branches: 2, attentionWidth: 384, attentionDropout: 0 } });
    expect(headOf({ head: "transmil" })).toMatchObject({ trunk: undefined, kind: { $case: "transmil" } });
    expect(headOf({ head: "transmil", hidden: "256" })?.trunk).toMatchObject({ hidden: [256], dropout: 0 });
    expect(headOf({ head: "dtfd", attentionWidth: 64 })?.kind).toMatchObject({
      $case: "dtfd",
      value: { attentionWidth: 64 },
    });
  });

  it("keeps, changes or drops the re-embedder of the file", async () => {
    const r2t = { heads: 4, crmsaK: 1 };
    const head = { trunk: { hidden: [] }, abmil: { attentionWidth: 128, gated: false, bias: false } };
    const base = await readTrainingSpec(await specFile({ architecture: { reembedder: { r2t }, head } }));
    const kept = createTrainingSpec({ epochs: 2, head: "gated-abmil" }, base).architecture;
    expect(kept?.reembedder?.kind).toMatchObject({ $case: "r2t", value: r2t });
    expect(kept?.head?.kind).toMatchObject({ value: { attentionWidth: 128, gated: true, bias: false } });
    expect(createTrainingSpec({ reembed: "r2t" }, base).architecture?.reembedder).toEqual(kept?.reembedder);
    const changed = createTrainingSpec({ reembed: "roformer", head: "dsmil" }, base).architecture;
    expect(changed?.reembedder?.kind?.$case).toBe("roformer");
    // The service has a default of its own for the layers of this head.
    expect(changed?.head).toMatchObject({ trunk: undefined, kind: { $case: "dsmil" } });
    expect(createTrainingSpec({ reembed: "none" }, base).architecture?.reembedder).toBeUndefined();
  });

  it.each([
    [
      { head: "dsmil", attentionWidth: 8 },
      "--attention-width is for abmil, gated-abmil, class-attention, clam-sb, clam-mb, dtfd",
    ],
    [
      { head: "class-attention", attentionDropout: 0.1 },
      "--attention-dropout is for abmil, gated-abmil, clam-sb, clam-mb, transmil, dtfd",
    ],
    [{ head: "transmil", attentionWidth: 8 }, "--attention-width"],
    [{ hidden: "64,x" }, "--hidden"],
    [{ threshold: "1.5" }, "--threshold"],
    [{ threshold: "best" }, "--threshold"],
  ] as const)("is refused for %j", (options, message) => {
    expect(() => createTrainingSpec(options)).toThrow(message);
  });

  it("refuses a file with a field that nobody reads, whichever way it is spelled", async () => {
    await expect(readTrainingSpec(await specFile({ recipe: { epoch: 3 } }))).rejects.toThrow("no field recipe.epoch");
    await expect(readTrainingSpec(await specFile({ recipe: { batch_size: 3 } }))).resolves.toMatchObject({
      recipe: { batchSize: 3 },
    });
    await expect(readTrainingSpec(await specFile("{"))).rejects.toThrow("--spec");
    await expect(readTrainingSpec(join(folder, "none.json"))).rejects.toThrow("--spec");
  });
});
