import type { RunRequest } from "@parfocal/engine";
import type { BagGroup } from "./bag-groups.ts";
import type { Feeds } from "./step-feeds.ts";

/** An update that is about to be made. */
export interface Update {
  /** What has to be known of the weights before the update; absent: nothing. */
  readonly question?: Question;
  /** Its runs, by the answer where there was a question. Every run that has a `loss` among its outputs is one bag's. */
  runs(answer: Answer): Generator<RunRequest, void, undefined>;
}

/** A bag as a step takes it. */
export interface StepBag {
  /** Runs that have to come right before. */
  readonly before: readonly RunRequest[];
  readonly feeds: Feeds;
  /** What each slide of a bag that is joined behind the re-embedder takes to learn, after the head; absent: the bag goes through the model whole. */
  readonly slides?: readonly Feeds[];
}

/** Something that the engine is asked before an update. */
export interface Question {
  readonly runs: Iterable<RunRequest>;
  /** Which of the runs' outputs is looked at; runs without it are none. */
  readonly output: string;
  /** What the outputs of the runs, in their order, mean. */
  answer(outputs: readonly Float32Array[]): Answer;
}

/** What an update has to know. */
export interface Answer {
  /** The bag that learns, of groups of which only one does. */
  readonly chosen?: ReadonlyMap<BagGroup, number>;
  /** `[S, K + 1]` by place in the update, see `tangentsOf`; absent: bags learn one by one. */
  readonly tangents?: readonly Float32Array<ArrayBuffer>[];
}
