import { DomainError } from "@parfocal/errors";
import { assertWeightsFit, type ConfigValue, type Model, type ParameterSpec, type Weights } from "@parfocal/models";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { BagSourceFacts, StartFrom } from "./job.ts";
import { loadModel } from "./package/load-model.ts";
import { NOTHING_SEEN, type SeenBags } from "./package/seen-bags.ts";
import { assertSourceFits } from "./source-facts.ts";
import { assertLevelsWithin, weightsOfLevels } from "./start-levels.ts";

/** The re-embedder that a training starts from, checked against the model that is to be trained. */
export interface StartingWeights {
  /** SHA-256 of the manifest of the model that it is from. */
  readonly digest: string;
  /** Which bags its trainings on labels have had: none of a pretrained mixer, which has seen no label. */
  readonly seen: SeenBags;
  /** Values of all re-embedder parameters, and of the standardisation where the model has one. */
  read(options?: CallOptions): Promise<Weights>;
}

/** What two re-embedders of the same weights may differ in: what drops in training, what comes out, and a word for sizes. */
const FREE_FIELDS: readonly string[] = ["output", "dropout", "stemDropout", "dropPath", "preset"];

/**
 * Opens the model that a training starts from. Its re-embedder must be the trained model's but for dropout and `output`; a region
 * mixer may look at some of the magnifications of the one that it starts from, whose weights it takes without those of the others.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` naming the first field that differs, both sets of magnifications where one is not in
 * the other, or when either has no re-embedder;
 * `GEOMETRY_MISMATCH` when it takes tiles of another width, encoder or geometry than `source`; as `loadModel`.
 */
export async function openStart(
  store: ObjectStore,
  { prefix, digest }: StartFrom,
  { model, source }: { readonly model: Model; readonly source: BagSourceFacts },
  options: CallOptions = {},
): Promise<StartingWeights> {
  const found = await loadModel(store, prefix, { ...options, digest });
  assertModelsFit(found.model, model);
  assertSourceFits(found.manifest.expects, source);
  const wanted = startedParameters(model);
  return {
    digest,
    seen: found.manifest.pretraining === undefined ? found.seen : NOTHING_SEEN,
    async read(call = {}) {
      const all = weightsOfLevels(found.model, model, await found.readWeights(call));
      const weights = Object.fromEntries(wanted.flatMap(({ name }) => (all[name] ? [[name, all[name]]] : [])));
      assertWeightsFit(wanted, weights);
      return weights;
    },
  };
}

/** The parameters that come from the model that a training starts from: all but the head's and the task's. */
function startedParameters({ parameters }: Pick<Model, "parameters">): readonly ParameterSpec[] {
  return parameters.filter(({ name }) => !name.startsWith("head.") && !name.startsWith("task."));
}

function assertModelsFit(found: Model, model: Model): void {
  for (const [of, which] of [
    [found, "the model to start from"],
    [model, "the model to train"],
  ] as const) {
    if (!of.hasReembedder) throw new DomainError("PRECONDITION_FAILED", `${which} has no re-embedder`);
  }
  const [theirs, ours] = [found.config, model.config];
  if (theirs.dIn !== ours.dIn) {
    const message = `the bags have ${ours.dIn} features per tile; the model to start from takes ${theirs.dIn}`;
    throw new DomainError("GEOMETRY_MISMATCH", message);
  }
  assertSame("standardise", theirs.standardise, ours.standardise);
  const fields = new Set([...Object.keys(theirs.reembed), ...Object.keys(ours.reembed)]);
  const isOfLevels = ours.reembed.kind === "region-mixer" && theirs.reembed.kind === ours.reembed.kind;
  for (const field of fields) {
    if (FREE_FIELDS.includes(field) || (isOfLevels && field === "levels")) continue;
    assertSame(`reembed.${field}`, theirs.reembed[field], ours.reembed[field]);
  }
  if (isOfLevels) assertLevelsWithin(found, model);
}

function assertSame(field: string, theirs: ConfigValue | undefined, ours: ConfigValue | undefined): void {
  const [wanted, value] = [theirs, ours].map((each) => JSON.stringify(each) ?? "absent");
  if (wanted === value) return;
  throw new DomainError("PRECONDITION_FAILED", `${field} is ${value}, in the model to start from ${wanted}`, {
    details: { field },
  });
}
