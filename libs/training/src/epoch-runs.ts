import type { RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import { type BagGroup, doAllLearn, labelOfGroup } from "./bag-groups.ts";
import { createEpochOrder, mostBagsPerEpoch } from "./epoch-order.ts";
import { hostTensorFromFloats } from "./host-tensor.ts";
import { losesTogether } from "./join-losses.ts";
import { memoise } from "./memoise.ts";
import type { Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { scheduleFactor } from "./schedule.ts";
import { createStepBags } from "./step-bags.ts";
import { createFeeds, type FeedMaker, type Feeds } from "./step-feeds.ts";
import { captureStepGraphs, hyperOf, phaseOf, type StepGraphs } from "./step-phase.ts";
import type { ResidentState, TrainingProgress } from "./training-state.ts";
import type { StepBag, Update } from "./update.ts";
import { choiceQuestion, togetherQuestion, withTangents } from "./update-questions.ts";

/** What makes the runs of a training: the plan, its graphs, and where its state lies in the engine. */
export interface RunMaker {
  readonly plan: TrainPlan;
  readonly resident: ResidentState;
  /** Updates of the epoch after `state`, in order. */
  updates(state: TrainingProgress): Generator<Update, void, undefined>;
  /** For each of `rows` one run with `logits` among its outputs, in their order. */
  logitRuns(rows: readonly number[]): Generator<RunRequest, void, undefined>;
  /** Updates of one epoch. */
  readonly nUpdatesPerEpoch: number;
  /** Bags that learn in the epoch after `state`. */
  countBags(state: TrainingProgress): number;
  /** Step size of update `update`, counted from 0 over the whole training. */
  learningRateAt(update: number, state: TrainingProgress): number;
}

/** Makes the runs of a plan. */
export function createRunMaker(plan: TrainPlan, resident: ResidentState): RunMaker {
  const graphsOf = memoise((phase: Phase) => captureStepGraphs(plan, phase));
  const { spec, groups, job } = plan;
  const orderOf = createEpochOrder(plan);
  const nStepsPerEpoch = mostBagsPerEpoch(plan);
  const nUpdatesPerEpoch = Math.ceil(groups.train.length / spec.batchSize);
  const learningRateAt = (update: number, { plateau }: TrainingProgress): number => {
    const position = { update, nUpdates: nUpdatesPerEpoch * spec.epochs, nUpdatesPerEpoch, plateau };
    return spec.optimiser.learningRate * scheduleFactor(spec.schedule, position);
  };
  const feeds = createFeeds(plan, resident);
  const { task } = plan.model.config;
  const isTogether = losesTogether(task, spec.groups);
  const learns = (group: BagGroup) => isTogether || doAllLearn(spec.groups, labelOfGroup(job.bags, group));
  const bags = createStepBags(plan, feeds);
  return {
    plan,
    resident,
    nUpdatesPerEpoch,
    countBags: ({ epoch }) => orderOf(epoch + 1).reduce((sum, group) => sum + (learns(group) ? group.length : 1), 0),
    learningRateAt,
    *updates(state) {
      const order = orderOf(state.epoch + 1);
      const phase = phaseOf(plan, state.epoch);
      let step = state.epoch * nStepsPerEpoch;
      for (let i = 0, update = state.update; i < order.length; i += spec.batchSize, update++) {
        const batch = order.slice(i, i + spec.batchSize);
        const first = step;
        const hyper = hyperOf(plan, { phase, update, nUpdatesPerEpoch, learningRate: learningRateAt(update, state) });
        const undecided = batch.filter((group) => group.length > 1 && !learns(group));
        const bagsOf = (chosen: ReadonlyMap<BagGroup, number>) =>
          learningRows(batch, chosen).map(({ row, place }) => bags.bag(row, first + place, phase));
        const question = isTogether
          ? togetherQuestion(plan, batch, bagsOf(new Map()), (bag) => bags.opinionsOf(bag, phase))
          : undecided.length > 0
            ? choiceQuestion(plan, undecided, undecided.flat().flatMap(bags.logitRuns))
            : undefined;
        yield {
          ...(question && { question }),
          *runs({ chosen = new Map(), tangents }) {
            const learning = bagsOf(chosen).map((bag, place) =>
              withTangents(bag, tangents?.[place], plan.model.nLogits),
            );
            const update = { nGroups: batch.length, feeds: feeds.update(hyper) };
            yield* updateRuns(graphsOf(phase), learning, update, feeds);
          },
        };
        step += batch.flat().length;
      }
    },
    *logitRuns(rows) {
      for (const row of rows) yield* bags.logitRuns(row);
    },
  };
}

/** The bags of an update that learn, each with its place among all of the update's bags, which numbers its random words. */
function learningRows(
  batch: readonly BagGroup[],
  chosen: ReadonlyMap<BagGroup, number>,
): { readonly row: number; readonly place: number }[] {
  const places = batch.flatMap((group) => group.map((row) => ({ row, choice: chosen.get(group) })));
  return places.flatMap(({ row, choice }, place) => (choice === undefined || choice === row ? [{ row, place }] : []));
}

function* updateRuns(
  graphs: StepGraphs,
  batch: readonly StepBag[],
  update: { readonly nGroups: number; readonly feeds: Feeds },
  maker: FeedMaker,
): Generator<RunRequest, void, undefined> {
  const { state, nextState, gradients } = maker;
  if (graphs.kind === "fused") {
    const loss: TensorSink = { kind: "inline" };
    for (const { before, feeds } of batch) {
      yield* before;
      yield { graph: graphs.step, feeds: { ...feeds, ...update.feeds }, fetches: { loss, ...nextState } };
    }
    return;
  }
  for (const [i, bag] of batch.entries()) yield* gradientRuns(graphs, bag, i === 0, maker);
  const { weights } = state;
  const scale: TensorSource = {
    kind: "inline",
    tensor: hostTensorFromFloats([1], Float32Array.of(1 / update.nGroups)),
  };
  yield {
    graph: graphs.apply,
    feeds: { ...(weights && { weights }), scale, ...gradients, ...update.feeds },
    fetches: nextState,
  };
}

/** The runs that add one bag's gradients to those of an update: of the whole model, or of the head and then of each slide. */
function* gradientRuns(
  graphs: StepGraphs & { readonly kind: "batched" },
  { before, feeds, slides }: StepBag,
  isFirst: boolean,
  { gradients, nextGradients, nextSlopes }: FeedMaker,
): Generator<RunRequest, void, undefined> {
  const { first, next, slide } = (slides && graphs.joined) ?? graphs.whole;
  const fetches = { loss: { kind: "inline" } as const, ...nextGradients, ...(slide && nextSlopes) };
  yield* before;
  yield { graph: isFirst ? first : next, feeds: { ...feeds, ...(isFirst ? {} : gradients) }, fetches };
  if (slide === undefined) return;
  for (const of of slides ?? []) yield { graph: slide, feeds: { ...of, ...gradients }, fetches: nextGradients };
}
