import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { Output } from "./output.ts";

/** A pretrained model as programs are shown it. */
export function pretrainRecord(operation: string, model: gatewayV1.Model): object {
  const { name, reembedder, parameterCount, featureDim, encoder, pretraining } = model;
  return {
    ...{ operation, model: name, reembedder, parameters: parameterCount, features: featureDim, encoder },
    first: pretraining[0] ?? null,
    last: pretraining.at(-1) ?? null,
  };
}

/** Prints the losses of a pretraining, first and last. */
export function showPretraining(output: Output, { pretraining, parameterCount }: gatewayV1.Model): void {
  const [first, last] = [pretraining[0], pretraining.at(-1)];
  if (first === undefined || last === undefined) return;
  const columns = [{ title: "loss" }, titled(first), titled(last)];
  const rows = [
    ["mean", decimals(first.loss), decimals(last.loss)],
    ...last.levels.map(({ level }) => [`level ${level}`, levelLoss(first, level), levelLoss(last, level)]),
    ["contrastive", decimals(first.contrastiveLoss), decimals(last.contrastiveLoss)],
    ["validation", decimals(firstValidation(pretraining)), decimals(firstValidation(pretraining.toReversed()))],
  ];
  output.table(
    columns,
    rows.filter(([, before, after]) => before !== "–" || after !== "–"),
  );
  const { regionsSeen } = last;
  output.line(`${parameterCount} parameters, ${regionsSeen} regions seen, level 0 is the coarsest magnification`);
}

function titled({ update }: commonV1.PretrainReport): { readonly title: string; readonly align: "right" } {
  return { title: `update ${update}`, align: "right" };
}

function levelLoss({ levels }: commonV1.PretrainReport, wanted: number): string {
  return decimals(levels.find(({ level }) => level === wanted)?.loss);
}

function firstValidation(reports: readonly commonV1.PretrainReport[]): number | undefined {
  return reports.find(({ validationLoss }) => validationLoss !== undefined)?.validationLoss;
}

function decimals(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(4);
}
