import type { RunRequest } from "@parfocal/engine";
import type { Model } from "@parfocal/models";
import { type CapturedGraph, type CaptureOptions, captureGraph } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";
import { endToEnd, startsOf } from "./join-inputs.ts";
import { joinedLogitsBuild, joinedOpinionsBuild, slideRowsBuild } from "./joined-graphs.ts";
import { memoise } from "./memoise.ts";
import type { Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import type { FeedMaker, Feeds } from "./step-feeds.ts";
import { logitsBuild, opinionsBuild } from "./step-graphs.ts";
import type { StepBag } from "./update.ts";

/** Makes the bags of a training ready for its steps. */
export interface StepBagMaker {
  /** The bag that trains in step `step`. */
  bag(row: number, step: number, phase: Phase): StepBag;
  /** What the opinions of such a bag are computed by. */
  opinionsOf(bag: StepBag, phase: Phase): CapturedGraph;
  /** The runs that score a bag without dropout: the last one has `logits` among its outputs. */
  logitRuns(row: number): readonly RunRequest[];
}

/** The bags of a plan, each whole or, joined behind a re-embedder, slide by slide. */
export function createStepBags({ model, inputs, scratchName }: TrainPlan, feeds: FeedMaker): StepBagMaker {
  const opinions = memoise((phase: Phase) => captureGraph(opinionsBuild(model, phase)));
  const graph = memoise((build: Build) => captureGraph(build(model)));
  const tiles = { kind: "resident", name: scratchName } as const;
  const { weights } = feeds.state;
  const headFeeds: Feeds = { tiles, ...(weights && { weights }) };
  const slidesOf = (row: number) => (inputs[row]?.isJoinedBehind ? (inputs[row].members ?? []) : undefined);
  const rowRuns = (slides: readonly BagInput[], rows: CapturedGraph, words: (place: number) => Feeds): RunRequest[] =>
    endToEnd(slides, scratchName, (slide, i) => ({
      graph: rows,
      feeds: { ...slide.feeds, ...feeds.state, ...words(i) },
    }));
  return {
    bag(row, step, phase) {
      const slides = slidesOf(row);
      const told = feeds.bag(row, step, phase);
      if (slides === undefined) return { before: feeds.before(row), feeds: { ...told, ...feeds.state } };
      const isFrozen = phase === "frozen";
      const words = (place: number) => (isFrozen ? {} : feeds.slideWords(row, place, step));
      const starts = startsOf(slides);
      return {
        before: rowRuns(slides, graph(isFrozen ? restingRows : learningRows), words),
        feeds: { ...told, ...headFeeds },
        slides: slides.map((slide, i) => ({
          ...{ ...slide.feeds, ...words(i), ...feeds.slopes(starts[i] ?? 0) },
          ...feeds.state,
        })),
      };
    },
    opinionsOf: ({ slides }, phase) => (slides === undefined ? opinions(phase) : graph(joinedOpinionsBuild)),
    logitRuns(row) {
      const slides = slidesOf(row);
      const before = slides === undefined ? feeds.before(row) : rowRuns(slides, graph(restingRows), () => ({}));
      const scored =
        slides === undefined
          ? { graph: graph(logitsBuild), feeds: { ...feeds.input(row), ...feeds.state } }
          : { graph: graph(joinedLogitsBuild), feeds: headFeeds };
      return [...before, { ...scored, fetches: { logits: { kind: "inline" } } }];
    },
  };
}

type Build = (model: Model) => CaptureOptions;

const restingRows: Build = (model) => slideRowsBuild(model, false);
const learningRows: Build = (model) => slideRowsBuild(model, true);
