import { Counter, type Registry } from "prom-client";

/** Caches of the services; engines count their own. */
export type CacheName = "model" | "reembedding";

/** Counts one lookup. */
export type CountLookup = (isHit: boolean) => void;

/** `parfocal_cache_lookups_total` by cache and by whether it held what was asked for. */
export function createCacheMetrics(registry: Registry): (cache: CacheName) => CountLookup {
  const lookups = new Counter({
    ...{ name: "parfocal_cache_lookups_total", help: "Lookups in caches.", registers: [registry] },
    labelNames: ["cache", "result"] as const,
  });
  return (cache) => (isHit) => lookups.inc({ cache, result: isHit ? "hit" : "miss" });
}
