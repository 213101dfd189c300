import { describe, expect, it } from "vitest";
import { DomainError } from "./domain-error.ts";
import { shareWork } from "./share-work.ts";

/** Work that ends when it is told to, and how often it was begun. */
function tellableWork() {
  const begun: PromiseWithResolvers<number>[] = [];
  const shared = shareWork(() => {
    const work = Promise.withResolvers<number>();
    begun.push(work);
    return work.promise;
  });
  return { begun, shared };
}

describe("shared work", () => {
  it("is done once for all who come, during it and later", async () => {
    const { begun, shared } = tellableWork();
    const early = [shared(undefined), shared(new AbortController().signal)];
    begun[0]!.resolve(7);
    expect(await Promise.all([...early, shared(undefined)])).toEqual([7, 7, 7]);
    expect(begun).toHaveLength(1);
  });

  it("outlives the caller who began it and is cancelled", async () => {
    const { begun, shared } = tellableWork();
    const first = new AbortController();
    const waiting = [shared(first.signal), shared(new AbortController().signal)];
    first.abort(new Error("nobody waits for this one"));
    await expect(waiting[0]).rejects.toMatchObject({ code: "CANCELLED" });
    begun[0]!.resolve(7);
    expect(await waiting[1]).toBe(7);
    expect(begun).toHaveLength(1);
  });

  it("gives a caller its own reason to stop, even one who came too late", async () => {
    const { begun, shared } = tellableWork();
    const reason = new DomainError("DEADLINE_EXCEEDED", "too late");
    await expect(shared(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(begun).toHaveLength(0);
    const first = shared(undefined);
    begun[0]!.resolve(7);
    expect(await first).toBe(7);
    await expect(shared(AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("is begun anew after a failure, which all who waited hear of", async () => {
    const { begun, shared } = tellableWork();
    const waiting = Promise.allSettled([shared(undefined), shared(undefined)]);
    begun[0]!.reject(new DomainError("UNREACHABLE", "no store"));
    expect((await waiting).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const again = shared(undefined);
    begun[1]!.resolve(8);
    expect(await again).toBe(8);
  });
});
