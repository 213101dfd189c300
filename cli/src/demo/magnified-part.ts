import { join } from "node:path";
import type { gatewayV1 } from "@parfocal/protocol";
import type { Output } from "../output/output.ts";
import { showPretraining } from "../output/pretrain-table.ts";
import { writeFiles } from "../output/write-files.ts";
import { type MagnifiedContext, prepareRegions, type RegionSlide } from "./magnified-cohort.ts";
import { type MagnifiedModel, pretrainDemo, trainRows } from "./magnified-models.ts";

/** What a part of the demo tells of its steps. */
type Step = <T>(name: string, work: () => Promise<{ readonly value: T; readonly text: string }>) => Promise<T>;

/** Everything that the demo at several magnifications made. */
export interface MagnifiedResults {
  readonly slides: readonly RegionSlide[];
  readonly mixer: gatewayV1.Model;
  readonly models: readonly MagnifiedModel[];
  /** Where it is written. */
  readonly file: string;
}

/** What a reader must know before the figures. */
const CAVEAT = [
  "This shows that the way works and nothing of the method's worth: 24 made-up slides, a tiny mixer, seconds of training, one seed.",
  "Its intervals are as wide as they look. What was measured with care is in docs/results.md.",
];

/** Regions, pretraining and fine-tuning on a small made-up cohort. */
export async function runMagnifiedPart(
  context: MagnifiedContext,
  { out, seed, step }: { readonly out: string; readonly seed: bigint; readonly step: Step },
): Promise<MagnifiedResults> {
  const slides = await step("regions", async () => {
    const value = await prepareRegions(context, out, seed);
    return { value, text: `${value.length} further slides at 5x, 10x and 20x, joined to region bags` };
  });
  const mixer = await step("pretrain", async () => {
    const value = await pretrainDemo(context, slides, seed);
    const last = value.pretraining.at(-1);
    const text = `region mixer of ${value.parameterCount} parameters, ${last?.regionsSeen ?? 0} regions, no labels`;
    return { value, text };
  });
  const models = await step("fine-tune", async () => {
    const value = await trainRows(context, slides, mixer, seed);
    const nHeldOut = slides.filter(({ isHeldOut }) => isHeldOut).length;
    return { value, text: `from it, from fresh weights and without it; ${nHeldOut} slides held out` };
  });
  const file = join(out, "magnifications.json");
  await writeFiles([{ path: file, content: `${JSON.stringify(recordOf({ mixer, models }), jsonNumber, 2)}\n` }]);
  for (const { name, model } of models) {
    context.output.record({ magnified: name, model: model.name, auroc: aurocOf(model) });
  }
  return { slides, mixer, models, file };
}

function recordOf({ mixer, models }: Pick<MagnifiedResults, "mixer" | "models">): object {
  const { name, parameterCount, pretraining } = mixer;
  return {
    caveat: CAVEAT.join(" "),
    mixer: { model: name, parameters: parameterCount, history: pretraining },
    models: models.map((row) => ({ name: row.name, model: row.model.name, auroc: aurocOf(row.model) })),
  };
}

function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** The AUROC on the held-out slides with its 95 % interval. */
function aurocOf({ test }: gatewayV1.Model) {
  const {
    value = null,
    lower,
    upper,
  } = test?.metrics.find(({ name, label }) => name === "auroc" && label === "") ?? {};
  return { value, interval: lower === undefined || upper === undefined ? null : [lower, upper] };
}

/** Prints how the pretraining went and how the models do, with what that is worth. */
export function showMagnifiedPart(output: Output, { slides, mixer, models }: MagnifiedResults): void {
  output.line();
  showPretraining(output, mixer);
  output.line();
  const nHeldOut = slides.filter(({ isHeldOut }) => isHeldOut).length;
  const columns = [
    { title: "before the same head" },
    { title: `AUROC on ${nHeldOut} held-out slides (95 % interval)` },
  ];
  const rows = models.map(({ name, model }) => [name, shownAuroc(model)]);
  output.table(columns, rows);
  for (const line of CAVEAT) output.line(line);
}

function shownAuroc(model: gatewayV1.Model): string {
  const { value, interval } = aurocOf(model);
  if (value === null) return "–";
  const [lower, upper] = interval ?? [];
  return `${value.toFixed(3)}${lower === undefined || upper === undefined ? "" : ` (${lower.toFixed(3)} – ${upper.toFixed(3)})`}`;
}
