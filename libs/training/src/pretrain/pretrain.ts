import { buildModel } from "@parfocal/models";
import { unflattenWeights } from "../flat-layout.ts";
import { stepEngineOf } from "../job.ts";
import { createResidentState } from "../training-state.ts";
import type { PretrainDeps, PretrainEvent, PretrainedMixer, PretrainJob } from "./pretrain-job.ts";
import { type PretrainPlan, planPretraining } from "./pretrain-plan.ts";
import { createPretrainRuns } from "./pretrain-runs.ts";
import { initialPretrainState, type PretrainState, readPretrainCheckpoint } from "./pretrain-state.ts";
import { type PretrainRun, runToEnd } from "./run-to-end.ts";

/**
 * Pretrains a region mixer, telling how it goes; the last event carries the encoder.
 *
 * The state lives in the engine; regions are read, cropped, turned and masked here, ahead of it. At checkpoints the state is
 * taken out, and written to `checkpointKey` if there is one: a pretraining that is cut off goes on from there when the same
 * job is started again, and ends with the same bits as one that never stopped. When the engine is lost, the updates since
 * the last checkpoint are run again.
 *
 * Source: Zimmermann et al. 2026, masked embedding modelling and its contrastive form.
 *
 * @throws {DomainError} As `planPretraining` for a job that is wrong; `NON_FINITE` naming update and regions when it diverges;
 * `PRECONDITION_FAILED` when the checkpoint is another job's; `CANCELLED` when the signal fires; what engine and store throw.
 */
export async function* pretrain(
  job: PretrainJob,
  deps: PretrainDeps,
  signal: AbortSignal,
): AsyncGenerator<PretrainEvent, void, undefined> {
  const plan = await planPretraining(job, deps, signal);
  const resident = createResidentState(stepEngineOf(deps), deps.name, plan.optimiser.slotNames);
  try {
    const start = (await findCheckpoint(plan, deps, signal)) ?? initialPretrainState(plan);
    yield {
      kind: "regions",
      nTrain: plan.train.nRegions,
      nValidation: plan.validation.nRegions,
      nParameters: plan.layout.nTrainable,
      nUpdates: plan.length.nUpdates,
      resumedFrom: start.update,
    };
    const run: PretrainRun = { plan, deps, signal, resident, runs: createPretrainRuns(plan, resident) };
    yield { kind: "done", pretrained: finish(plan, yield* runToEnd(run, start)) };
  } finally {
    // When this fails the engine process is gone, and the state with it.
    await resident.drop().catch(() => undefined);
  }
}

async function findCheckpoint(plan: PretrainPlan, deps: PretrainDeps, signal: AbortSignal) {
  const { checkpointKey } = plan.job;
  return checkpointKey === undefined ? null : readPretrainCheckpoint(deps.store, checkpointKey, plan, signal);
}

/** The encoder as a model of its own, without a head. */
function finish(plan: PretrainPlan, state: PretrainState): PretrainedMixer {
  const { dIn, mixer } = plan.model.config;
  const model = buildModel({ dIn, reembed: mixer, head: { kind: "none" }, task: { kind: "embedding", classes: [] } });
  const all = unflattenWeights(plan.layout.trainable, state.weights);
  const own = model.parameters.map(({ name }) => [name, all[name] ?? new Float32Array()] as const);
  const { spec, jobDigest, dataDigest, source } = plan;
  const { history, update: nUpdates } = state;
  return { model, spec, jobDigest, dataDigest, source, weights: Object.fromEntries(own), nUpdates, history };
}
