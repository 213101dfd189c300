/** A process that writes into a local store until it is killed: see store-crash.test.ts. */
import { writeSync } from "node:fs";
import { type ObjectStore, openStore } from "@parfocal/store";
import { encodeVersion, parseCount } from "./store-crash-body.ts";

const [uri = "", writer = "", firstVersion = "0"] = process.argv.slice(2);
const store = openStore(uri);

/** Synchronously: what was said before the kill has been said. */
const say = (line: string) => writeSync(1, `${line}\n`);

async function increment(counters: ObjectStore): Promise<void> {
  for (;;) {
    const { bytes, etag } = await counters.get("counter");
    try {
      await counters.put("counter", Buffer.from(String(parseCount(bytes) + 1)), { ifMatch: etag });
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "PRECONDITION_FAILED")) throw error;
    }
  }
}

say("ready");
for (let version = Number(firstVersion); ; version += 1) {
  const key = `${writer}/${version % 4}`;
  const body = encodeVersion(version);
  say(`begin ${key} ${version}`);
  // Every way into place: replacing, replacing one version, creating after a deletion.
  if (version % 12 < 8) await store.put(key, body);
  else {
    await store.delete(key);
    say(`deleted ${key} ${version}`);
    await store.put(key, body, { ifNoneMatch: "*" });
  }
  say(`end ${key} ${version}`);
  await increment(store);
  say("counted");
}
