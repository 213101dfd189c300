import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { createReplicaPicker } from "./replica-pick.ts";

describe("createReplicaPicker", () => {
  it("takes the replica with the fewest calls, among equals in turn", () => {
    const picker = createReplicaPicker(3);
    const choices = [picker.pick()!, picker.pick()!, picker.pick()!];
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    choices[1]!.release();
    expect(picker.pick()!.index).toBe(1);
    choices[2]!.release();
    choices[0]!.release();
    expect([picker.pick()!.index, picker.pick()!.index]).toEqual([0, 2]);
  });

  it("takes one that did not answer last, for a second", () => {
    let ms = 0;
    const picker = createReplicaPicker(2, () => ms);
    picker.pick()!.release(new DomainError("UNREACHABLE", "gone"));
    const held = [picker.pick()!, picker.pick()!];
    expect(held.map(({ index }) => index)).toEqual([1, 1]);
    ms = 1001;
    expect(picker.pick()!.index).toBe(0);
  });

  it("gives none when all were tried", () => {
    expect(createReplicaPicker(2).pick(new Set([0, 1]))).toBeUndefined();
  });
});
