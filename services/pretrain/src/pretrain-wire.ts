/**
 * @file The messages of a pretraining in the domain's types and back.
 */
import { countParameters, modelConfigJson } from "@parfocal/models";
import { commonV1, type pretrainV1 } from "@parfocal/protocol";
import {
  bagRefFromWire,
  choice,
  defined,
  type Fields,
  missing,
  modelReferenceOf,
  optimiserFromWire,
  regionMixerFromWire,
  type StoreRoot,
} from "@parfocal/stage";
import {
  type LoadedModel,
  manifestKeyOf,
  type PretrainEvent,
  type PretrainPace,
  type PretrainReport,
  type RegionBag,
} from "@parfocal/training";

/**
 * A pretraining as the JSON that `parsePretrainSpec` reads. What the client left out is left out: defaults and bounds live in one
 * place, behind that reader.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a missing mixer or an enum value that means nothing.
 */
export function pretrainSpecFromWire(spec: commonV1.PretrainSpec | undefined, seed: bigint): Fields {
  if (spec?.mixer === undefined) throw missing("spec.mixer");
  const { mixer, masked, contrastive, optimiser, totalRegions, ...same } = spec;
  return defined({
    mixer: regionMixerFromWire(mixer),
    masked: masked && maskedFromWire(masked),
    contrastive: contrastive && contrastiveFromWire(contrastive),
    optimiser: optimiser && optimiserFromWire(optimiser),
    totalRegions: totalRegions === undefined ? undefined : Number(totalRegions),
    ...same,
    seed: seed.toString(),
  });
}

function maskedFromWire({ weighting, ...same }: commonV1.MaskedObjective): Fields {
  const weightings = { WEIGHTING_UNSPECIFIED: undefined, WEIGHTING_UNBIASED: "unbiased", WEIGHTING_RATIO: "ratio" };
  const name = commonV1.maskedObjective_WeightingToJSON(weighting);
  return defined({ ...same, weighting: choice<string | undefined>("masked.weighting", weightings, name) });
}

function contrastiveFromWire({ dropSameSlideNegatives, ...same }: commonV1.ContrastiveObjective): Fields {
  return defined({ ...same, dropSameSlideNegatives });
}

/** A region bag with its patient. @throws {DomainError} `INVALID_ARGUMENT` naming index and field; `FORBIDDEN`. */
export function regionBagFromWire(
  store: StoreRoot,
  { bag, patientKey }: pretrainV1.RegionBag,
  index: number,
): RegionBag {
  const ref = bagRefFromWire(store, bag, `bags[${index}].bag`);
  return { bag: ref, ...(patientKey === "" ? {} : { patient: patientKey }) };
}

/** Turns events into messages; each says where the pretraining stands. */
export function createEventWriter() {
  let [done, total, loss] = [0, 0, 0];
  return (event: Exclude<PretrainEvent, { kind: "done" }>): pretrainV1.PretrainResponse | undefined => {
    if (event.kind === "regions") [done, total] = [event.resumedFrom, event.nUpdates];
    if (event.kind === "report") [done, loss] = [event.update, event.loss];
    const wire = eventToWire(event);
    return wire && { doneSteps: BigInt(done), totalSteps: BigInt(total), loss, event: wire };
  };
}

/** What the contract tells of an event; that the engine was lost is not part of it. */
function eventToWire(event: Exclude<PretrainEvent, { kind: "done" }>): pretrainV1.PretrainResponse["event"] {
  switch (event.kind) {
    case "regions": {
      const { nTrain, nValidation, nParameters, resumedFrom } = event;
      const counts = { trainCount: BigInt(nTrain), validationCount: BigInt(nValidation) };
      const value = { ...counts, parameterCount: BigInt(nParameters), resumedFrom: BigInt(resumedFrom) };
      return { $case: "regions", value };
    }
    case "report":
      return { $case: "report", value: reportToWire(event) };
    case "checkpoint":
      return { $case: "checkpointUpdate", value: BigInt(event.update) };
    case "recovered":
      return undefined;
  }
}

/** A report; rates are those of the moment and 0 in a history. */
function reportToWire(report: PretrainReport & Partial<PretrainPace>): commonV1.PretrainReport {
  return {
    update: BigInt(report.update),
    updateCount: BigInt(report.nUpdates),
    regionsSeen: BigInt(report.regionsSeen),
    loss: report.loss,
    levels: report.levels.map(({ level, loss }) => ({ level, loss: loss ?? undefined })),
    contrastiveLoss: report.contrastiveLoss ?? undefined,
    validationLoss: report.validationLoss ?? undefined,
    learningRate: report.learningRate,
    regionsPerS: report.regionsPerS ?? 0,
    loaderWait: report.loaderWait ?? 0,
    etaS: report.etaS ?? 0,
  };
}

/** The last message: a package that is there. */
export function publishedToWire(
  store: StoreRoot,
  folder: string,
  { manifest, digest, model }: LoadedModel,
): pretrainV1.PretrainResponse {
  const { nUpdates = 0, history = [] } = manifest.pretraining ?? {};
  const value: pretrainV1.PublishedMixer = {
    model: modelReferenceOf(store, { manifestKey: manifestKeyOf(folder), digest }, 0),
    featureDim: model.config.dIn,
    encoder: manifest.expects.encoder ?? "",
    parameterCount: BigInt(countParameters(model.parameters)),
    history: history.map(reportToWire),
    configJson: JSON.stringify(modelConfigJson(model.config)),
    expects: { ...manifest.expects, encoder: manifest.expects.encoder ?? "" },
  };
  const steps = { doneSteps: BigInt(nUpdates), totalSteps: BigInt(nUpdates), loss: history.at(-1)?.loss ?? 0 };
  return { ...steps, event: { $case: "published", value } };
}
