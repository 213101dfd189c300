import { DomainError, type DomainErrorCode, isDomainError, mapBounded } from "@parfocal/errors";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import type { Json } from "@parfocal/workflows";
import type { GatewayDeps } from "../deps.ts";
import { isOfKeptBag } from "../reembed-reference.ts";
import type { CaseOutcome } from "./batch-plan.ts";
import type { Gate } from "./gate.ts";
import { createPatience } from "./patience.ts";

/** What bags are scored with. */
export interface BagScoring {
  readonly stages: Pick<GatewayDeps, "aggregate" | "reembed">;
  /** Calls of each stage at a time, over all shards. */
  readonly gates: { readonly aggregate: Gate; readonly reembed: Gate };
  readonly signal: AbortSignal;
  /** Hears how long the engine of the aggregating stage took for a bag, ms. */
  onEngineMs(ms: number): void;
}

/** A model that scores. */
export interface ScoringModel {
  readonly reference: commonV1.ModelReference;
  /** Whether bags go through the stage that re-embeds first. */
  readonly isReembedded: boolean;
}

/** Re-embeddings that one shard asks for at a time; the gate bounds those of all. */
const CONCURRENT_REEMBEDDINGS = 16;

/** Failures of the engine that a second try, perhaps elsewhere, may not have. */
const WORTH_A_SECOND_TRY: ReadonlySet<string> = new Set<DomainErrorCode>([
  "ENGINE_CRASHED",
  "OUT_OF_MEMORY",
  "STATE_LOST",
]);

/** Not about a bag, nor about a model. */
const ENDS_THE_STEP: ReadonlySet<DomainErrorCode> = new Set([
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "RESOURCE_EXHAUSTED",
  "THROTTLED",
  "UNREACHABLE",
  "UNAUTHENTICATED",
]);

/**
 * What a model says of each bag, in their order. `onOutcome` hears of each as it comes, with its place. A stage that has no room is
 * waited for; a bag that cannot be scored is an outcome.
 *
 * @throws {DomainError} when a stage stays out of reach or without room for some ten minutes; `CANCELLED`.
 */
export async function scoreBags(
  scoring: BagScoring,
  model: ScoringModel,
  bags: readonly commonV1.BagReference[],
  onOutcome: (place: number, outcome: CaseOutcome) => void,
): Promise<CaseOutcome[]> {
  const outcomes = new Map<number, CaseOutcome>();
  const settle = (place: number, outcome: CaseOutcome) => {
    outcomes.set(place, outcome);
    onOutcome(place, outcome);
  };
  const asked = new Map(bags.entries());
  const ready = model.isReembedded ? await reembedAll(scoring, model, asked, settle) : asked;
  const doubtful = await predictAll(scoring, model, ready, settle);
  // Each alone, so that one that takes the engine down takes nothing else with it.
  for (const { place, isDamaged } of doubtful) {
    const again = isDamaged ? await reembedAll(scoring, model, only(asked, place), settle, true) : only(ready, place);
    await predictAll(scoring, model, again, settle);
  }
  return [...bags.keys()].map((place) => outcomes.get(place)!);
}

type Settle = (place: number, outcome: CaseOutcome) => void;
type PlacedBags = ReadonlyMap<number, commonV1.BagReference>;

function only(bags: PlacedBags, place: number): PlacedBags {
  return new Map([...bags].filter(([at]) => at === place));
}

/** The re-embedded bags; with `verify` what is kept of them is looked at, and made anew where it is damaged. */
async function reembedAll(
  scoring: BagScoring,
  model: ScoringModel,
  bags: PlacedBags,
  settle: Settle,
  verify = false,
): Promise<PlacedBags> {
  const ready = new Map<number, commonV1.BagReference>();
  await mapBounded([...bags], CONCURRENT_REEMBEDDINGS, async ([place, bag]) => {
    try {
      ready.set(place, await reembedOne(scoring, model, bag, verify));
    } catch (error) {
      settle(place, outcomeOf(error));
    }
  });
  return ready;
}

async function reembedOne(
  { stages, gates, signal }: BagScoring,
  { reference }: ScoringModel,
  bag: commonV1.BagReference,
  verify: boolean,
): Promise<commonV1.BagReference> {
  const patience = createPatience({ signal });
  let nCrashes = 0;
  for (;;) {
    try {
      return await gates.reembed.run(async () => {
        for await (const { event } of stages.reembed.reembed({ model: reference, bag, verify }, { signal })) {
          if (event?.$case === "bag") return event.value;
        }
        throw unreachable("re-embedding");
      });
    } catch (error) {
      const isCrash = isDomainError(error) && WORTH_A_SECOND_TRY.has(error.code);
      if (isCrash && nCrashes++ === 0) continue;
      await patience.pauseAfter(error);
    }
  }
}

/** A bag that deserves a second try. */
interface Doubtful {
  readonly place: number;
  /** What is kept of its re-embedding is. */
  readonly isDamaged: boolean;
}

/** Scores bags by as few calls as it takes; gives those that deserve a second try. */
async function predictAll(
  { stages, gates, signal, onEngineMs }: BagScoring,
  { reference, isReembedded }: ScoringModel,
  bags: PlacedBags,
  settle: Settle,
): Promise<Doubtful[]> {
  const patience = createPatience({ signal });
  const doubtful: Doubtful[] = [];
  let left = [...bags];
  while (left.length > 0) {
    const asked = left;
    const answered = new Set<number>();
    try {
      await gates.aggregate.run(async () => {
        const request = { model: reference, bags: asked.map(([, bag]) => bag) };
        for await (const answer of stages.aggregate.predictMany(request, { signal })) {
          const [place] = asked[answer.index] ?? [];
          if (place === undefined || answer.result === undefined) continue;
          answered.add(place);
          if (answer.result.$case === "prediction") onEngineMs(answer.result.value.engineMs);
          const outcome = outcomeFromAnswer(answer.result);
          const code = "code" in outcome ? outcome.code : "";
          const isDamaged = isReembedded && isOfKeptBag(code);
          if (isDamaged || WORTH_A_SECOND_TRY.has(code)) doubtful.push({ place, isDamaged });
          settle(place, outcome);
          patience.reset();
        }
      });
      left = asked.filter(([place]) => !answered.has(place));
      if (left.length > 0) await patience.pauseAfter(unreachable("aggregation"));
    } catch (error) {
      left = asked.filter(([place]) => !answered.has(place));
      await patience.pauseAfter(error).catch((final: unknown) => {
        const outcome = outcomeOf(final);
        for (const [place] of left) settle(place, outcome);
        left = [];
      });
    }
  }
  return doubtful;
}

function unreachable(stage: string): DomainError {
  return new DomainError("UNREACHABLE", `the ${stage} stage ended its stream before the last answer`);
}

type Answer = NonNullable<aggregateV1.PredictManyResponse["result"]>;

function outcomeFromAnswer(answer: Answer): CaseOutcome {
  if (answer.$case === "failure") return answer.value;
  // How long it took is no part of the result: no two runs share it.
  return { prediction: commonV1.Prediction.toJSON({ ...answer.value, engineMs: 0 }) as Json };
}

/** What a failed call says of its bags. @throws The error itself when it is about neither bag nor model. */
function outcomeOf(error: unknown): CaseOutcome {
  if (!isDomainError(error) || ENDS_THE_STEP.has(error.code)) throw error;
  const { code, message } = error;
  return { code, message };
}
