import { probeStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { GetFixture } from "./store-contract.ts";
import { bytesOf, expectCode, patternBytes, textOf } from "./store-contract-tools.ts";

const N_WRITERS = 16;

/** Conditional writes, alone and in races. */
export function describeConditions(getFixture: GetFixture): void {
  describe("conditions", () => {
    it("creates only what is not there", async () => {
      const { store } = getFixture();
      await store.put("cond/new", bytesOf("first"), { ifNoneMatch: "*" });
      await expectCode(store.put("cond/new", bytesOf("second"), { ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      expect(textOf((await store.get("cond/new")).bytes)).toBe("first");
      await store.delete("cond/new");
      await store.put("cond/new", bytesOf("third"), { ifNoneMatch: "*" });
      expect(textOf((await store.get("cond/new")).bytes)).toBe("third");
    });

    it("replaces only the version that it was told", async () => {
      const { store } = getFixture();
      const first = await store.put("cond/swap", bytesOf("1"));
      const second = await store.put("cond/swap", bytesOf("2"), { ifMatch: first.etag });
      await expectCode(store.put("cond/swap", bytesOf("3"), { ifMatch: first.etag }), "PRECONDITION_FAILED");
      expect(textOf((await store.get("cond/swap")).bytes)).toBe("2");
      await store.put("cond/swap", bytesOf("4"), { ifMatch: second.etag });
      await expectCode(store.put("cond/absent", bytesOf("1"), { ifMatch: first.etag }), "PRECONDITION_FAILED");
    });

    it("refuses two conditions at once, and one that is empty", async () => {
      const { store } = getFixture();
      const options = { ifNoneMatch: "*", ifMatch: '"x"' } as const;
      await expectCode(store.put("cond/two", bytesOf("1"), options), "INVALID_ARGUMENT");
      await expectCode(store.put("cond/two", bytesOf("1"), { ifMatch: "" }), "INVALID_ARGUMENT");
    });

    it("lets exactly one of 16 racing writers create", async () => {
      const { store, other } = getFixture();
      for (let round = 0; round < 5; round += 1) {
        const key = `cond/race-${round}`;
        const results = await Promise.allSettled(
          Array.from({ length: N_WRITERS }, (_, index) =>
            (index % 2 === 0 ? store : other).put(key, bytesOf(`writer ${index}`), { ifNoneMatch: "*" }),
          ),
        );
        const winners = results.flatMap(({ status }, index) => (status === "fulfilled" ? [index] : []));
        expect(winners).toHaveLength(1);
        expect(textOf((await store.get(key)).bytes)).toBe(`writer ${winners[0]}`);
      }
    });

    it("loses no update of 16 writers who swap until they win", async () => {
      const { store, other } = getFixture();
      await store.put("cond/counter", bytesOf("0"));
      const increment = async (client: typeof store) => {
        for (;;) {
          const { bytes, etag } = await client.get("cond/counter");
          const next = bytesOf(String(Number(textOf(bytes)) + 1));
          try {
            await client.put("cond/counter", next, { ifMatch: etag });
            return;
          } catch (error) {
            await expectCode(Promise.reject(error), "PRECONDITION_FAILED");
          }
        }
      };
      await Promise.all(Array.from({ length: N_WRITERS }, (_, index) => increment(index % 2 === 0 ? store : other)));
      expect(textOf((await store.get("cond/counter")).bytes)).toBe(String(N_WRITERS));
    });

    it("keeps conditions for objects in many parts", async () => {
      const { store } = getFixture();
      const body = patternBytes(11 * 1024 * 1024);
      const { etag } = await store.put("cond/parts", body, { ifNoneMatch: "*" });
      await expectCode(store.put("cond/parts", body, { ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      await store.put("cond/parts", body.subarray(1), { ifMatch: etag });
      await expectCode(store.put("cond/parts", body, { ifMatch: etag }), "PRECONDITION_FAILED");
      expect((await store.head("cond/parts")).sizeBytes).toBe(body.length - 1);
    });

    it("passes its own probe, which leaves nothing behind", async () => {
      const { store } = getFixture();
      const probe = await probeStore(store);
      expect(probe).toEqual({
        conditionalPuts: "exact",
        conditionalUpdates: "exact",
        createWinners: [1, 1, 1],
        updateWinners: [1, 1, 1],
        nWriters: 16,
      });
      expect((await store.list("parfocal-probe")).objects).toEqual([]);
    });
  });
}
