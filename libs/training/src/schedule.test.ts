import { describe, expect, it } from "vitest";
import { advanceSelection, INITIAL_SELECTION, isExhausted, parseEarlyStopping } from "./early-stopping.ts";
import { advancePlateau, INITIAL_PLATEAU, parseSchedule, scheduleFactor } from "./schedule.ts";

const at = (update: number, nUpdates = 10) => ({ update, nUpdates, nUpdatesPerEpoch: 2, plateau: INITIAL_PLATEAU });

describe("schedules", () => {
  it("are constant unless told", () => {
    expect(scheduleFactor(parseSchedule({}), at(7))).toBe(1);
  });

  it("fall along half a cosine to the floor", () => {
    const config = parseSchedule({ kind: "cosine", floor: 0.2 });
    expect(scheduleFactor(config, at(0))).toBe(1);
    expect(scheduleFactor(config, at(5))).toBeCloseTo(0.6, 12);
    expect(scheduleFactor(config, at(10))).toBeCloseTo(0.2, 12);
  });

  it("rise linearly in the warm-up and begin the cosine after it", () => {
    const config = parseSchedule({ kind: "cosine", warmupEpochs: 2 });
    expect([0, 1, 2, 3].map((update) => scheduleFactor(config, at(update)))).toEqual([0.25, 0.5, 0.75, 1]);
    expect(scheduleFactor(config, at(4))).toBe(1);
    expect(scheduleFactor(config, at(7))).toBeCloseTo(0.5, 12);
  });

  it.each([
    [0, 6e-6],
    [49, 3e-4],
    [99, 6e-4],
    [100, 6e-4],
    [550, 3e-4],
    [999, 1.8277e-9],
  ])("give the mixer's pretraining its step size at update %i", (update, expected) => {
    const config = parseSchedule({ kind: "cosine", warmupEpochs: 1 });
    const position = { update, nUpdates: 1000, nUpdatesPerEpoch: 100, plateau: INITIAL_PLATEAU };
    const peak = (1.5e-4 * 1024) / 256;
    // The numbers are given to five digits.
    expect((peak * scheduleFactor(config, position)) / expected).toBeCloseTo(1, 4);
  });

  it("drop on a plateau after more than `patience` epochs without a lower loss", () => {
    const config = parseSchedule({ kind: "plateau", patience: 1, factor: 0.5, floor: 0.3 });
    const scales: number[] = [];
    let state = INITIAL_PLATEAU;
    for (const loss of [1, 1, 1, 0.5, 0.5, 0.5, 0.5]) {
      state = advancePlateau(config, state, loss);
      scales.push(state.scale);
    }
    expect(scales).toEqual([1, 1, 0.5, 0.5, 0.5, 0.3, 0.3]);
  });
});

describe("early stopping", () => {
  const stopAfter = (config: object, scores: readonly (readonly [number, number | null])[]): number => {
    const stopping = parseEarlyStopping({ ...config });
    let state = INITIAL_SELECTION;
    for (const [i, [loss, auroc]] of scores.entries()) {
      state = advanceSelection(state, { epoch: i + 1, loss, figure: auroc }, stopping.metric);
      if (isExhausted(stopping, state, i + 1)) return i + 1;
    }
    return 0;
  };

  it("waits `patience` epochs after the best loss", () => {
    const losses = [3, 2, 2.5, 2.5, 1] as const;
    expect(
      stopAfter(
        { patience: 2, metric: "loss" },
        losses.map((loss) => [loss, null]),
      ),
    ).toBe(4);
  });

  it("never stops before `minEpochs`", () => {
    const scores = [1, 2, 2, 2, 2, 2].map((loss) => [loss, null] as const);
    expect(stopAfter({ patience: 1, minEpochs: 5, metric: "loss" }, scores)).toBe(5);
  });

  it("takes the lower loss between equal AUROCs", () => {
    let state = advanceSelection(INITIAL_SELECTION, { epoch: 1, loss: 0.5, figure: 1 }, "auroc");
    state = advanceSelection(state, { epoch: 2, loss: 0.4, figure: 1 }, "auroc");
    state = advanceSelection(state, { epoch: 3, loss: 0.45, figure: 1 }, "auroc");
    expect(state).toMatchObject({ bestEpoch: 2, bestValue: 1, nEpochsWithoutGain: 1 });
  });

  it("lets no epoch win by an AUROC that is undefined", () => {
    expect(advanceSelection(INITIAL_SELECTION, { epoch: 1, loss: 0.5, figure: null }, "auroc").bestEpoch).toBe(0);
  });
});
