import { describe, expect, it } from "vitest";
import { createEntryCache, MAX_AGE_MS } from "./entry-cache.ts";

/** A cache over a counted store of one value, with a clock that is moved by hand. */
function createSubject({ maxBytes = 100, sizeBytes = 10 } = {}) {
  const clock = { ms: 0 };
  const loads: string[] = [];
  const cache = createEntryCache<string>({ maxBytes, nowMs: () => clock.ms });
  const load = (key: string) => async () => {
    loads.push(key);
    return { value: `value of ${key}`, sizeBytes };
  };
  return { cache, clock, loads, load, read: (key: string, maxAgeMs?: number) => cache.read(key, load(key), maxAgeMs) };
}

describe("the cache of entries", () => {
  it("asks again for an entry that is older than its bound, and no earlier", async () => {
    const { clock, loads, read } = createSubject();
    await read("a");
    clock.ms = MAX_AGE_MS;
    expect(await read("a")).toBe("value of a");
    expect(loads).toEqual(["a"]);
    clock.ms += 1;
    expect(await read("a")).toBe("value of a");
    expect(loads).toEqual(["a", "a"]);
    clock.ms += MAX_AGE_MS;
    await read("a");
    expect(loads).toHaveLength(2);
  });

  it("counts the age from the start of the reading, not from its end", async () => {
    const { cache, clock, load, loads, read } = createSubject();
    await cache.read("a", async () => {
      clock.ms = 5000;
      return load("a")();
    });
    clock.ms = MAX_AGE_MS + 1;
    await read("a");
    expect(loads).toHaveLength(2);
  });

  it("takes an entry of any age where the caller says so", async () => {
    const { clock, loads, read } = createSubject();
    await read("a");
    clock.ms = 1000 * MAX_AGE_MS;
    await read("a", Number.POSITIVE_INFINITY);
    expect(loads).toHaveLength(1);
  });

  it("gives and does not keep what was being loaded while an entry was forgotten", async () => {
    const { cache, load, loads, read } = createSubject();
    const late = cache.read("a", async () => {
      const loaded = await load("a")();
      cache.forget("a");
      return loaded;
    });
    expect(await late).toBe("value of a");
    await read("a");
    expect(loads).toEqual(["a", "a"]);
    await read("a");
    expect(loads).toHaveLength(2);
  });

  it("forgets an entry that is gone", async () => {
    const { cache, clock, loads, read } = createSubject();
    await read("a");
    clock.ms = MAX_AGE_MS + 1;
    expect(await cache.read("a", async () => undefined)).toBeUndefined();
    await read("a", Number.POSITIVE_INFINITY);
    expect(loads).toHaveLength(2);
  });

  it("keeps at most so many bytes, those that were used last", async () => {
    const { loads, read } = createSubject({ maxBytes: 30 });
    for (const key of ["a", "b", "c", "a", "d"]) await read(key);
    expect(loads).toEqual(["a", "b", "c", "d"]);
    for (const key of ["a", "c", "d"]) await read(key);
    expect(loads).toHaveLength(4);
    await read("b");
    expect(loads.at(-1)).toBe("b");
  });

  it("keeps no entry that is larger than its bound, and drives out none for it", async () => {
    const { cache, loads, read } = createSubject({ maxBytes: 30 });
    await read("a");
    await cache.read("huge", async () => ({ value: "huge", sizeBytes: 31 }));
    await read("a");
    expect(loads).toEqual(["a"]);
  });
});
