import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createMemoryStore, openStore } from "@parfocal/store";
import { describeStoreContract } from "./store-contract.ts";

const traits = {
  hasUrls: false,
  isInMemory: false,
  belowObjects: "listed",
  refusesForeignTokens: true,
  partSizeBytes: 5 * 1024 * 1024,
} as const;

describeStoreContract("memory", { ...traits, isInMemory: true }, async () => {
  const store = createMemoryStore();
  return { store, other: store, stop: async () => store.close() };
});

describeStoreContract("local folder", traits, async () => {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-store-"));
  const uri = pathToFileURL(join(folder, "root")).href;
  const [store, other] = [openStore(uri), openStore(uri)];
  const stop = async () => {
    store.close();
    other.close();
    await rm(folder, { recursive: true });
  };
  return { store, other, stop };
});
