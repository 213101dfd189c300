import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { encodeText, readJson } from "./json-object.ts";
import { OWNER_KEY } from "./operation-keys.ts";
import { parseOwner } from "./owner-record.ts";
import { createGate, listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, Workflow } from "./workflow.ts";

type AnyWorkflow = Workflow<never, Json>;

/** Holds back the writes whose key matches, as a paused process would, until it is thawed. */
function freezable(store: ObjectStore, isHeld: (key: string, bytes: string) => boolean) {
  const frozen = createGate();
  const thawed = createGate();
  const put: ObjectStore["put"] = async (key, body, options) => {
    if (body instanceof Uint8Array && isHeld(key, new TextDecoder().decode(body))) {
      frozen.open();
      await thawed.opened;
    }
    return await store.put(key, body, options);
  };
  return { store: { ...store, put }, frozen: frozen.opened, thaw: thawed.open };
}

/** Makes the next driver believe that the owner is gone, as after an expiry. */
async function expireOwner(store: ObjectStore): Promise<void> {
  const owner = parseOwner((await readJson(store, OWNER_KEY))?.value);
  await store.put(OWNER_KEY, encodeText(JSON.stringify({ ...owner, isReleased: true })));
}

const answer =
  (who: string): AnyWorkflow =>
  async ({ step }) => {
    const a = await step("a", async () => `${who} a`);
    return [a, await step("b", async () => `${who} b`)];
  };

describe("an owner that was taken for dead", () => {
  it("cannot publish its outcome over the new owner's, and learns that it lost the store", async () => {
    const store = createMemoryStore();
    const held = freezable(store, (key, text) => key.endsWith("state.json") && text.includes('"succeeded"'));
    const lost: string[] = [];
    const onOwnershipLost = ({ message }: Error): void => void lost.push(message);
    const zombie = await openTestDriver({ job: answer("old") }, { store: held.store, onOwnershipLost });
    const { name } = await zombie.start({ project: "p", kind: "job", input: null });
    await held.frozen;
    await expireOwner(store);
    const heir = await openTestDriver({ job: answer("new") }, { store });
    const done = await untilDone(heir, name);
    expect(done.outcome).toEqual({ kind: "succeeded", response: ["old a", "old b"] });
    held.thaw();
    await expect(untilDone(zombie, name)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(lost).toEqual(["this gateway lost the operations of its store to another one"]);
    expect(await heir.get(name)).toEqual(done);
    await zombie.close();
    await heir.close();
  });

  it("cannot slip a late step into the journal that counts", async () => {
    const store = createMemoryStore();
    const held = freezable(store, (key) => /\/steps\/1-\w+\/000002s-b/.test(key));
    const zombie = await openTestDriver({ job: answer("old") }, { store: held.store });
    const { name } = await zombie.start({ project: "p", kind: "job", input: null });
    await held.frozen;
    await expireOwner(store);
    const gate = createGate();
    const waiting: AnyWorkflow = async ({ step }) => {
      const a = await step("a", async () => "new a");
      await gate.opened;
      return [a, await step("b", async () => "new b")];
    };
    const heir = await openTestDriver({ job: waiting }, { store });
    while ((await heir.get(name)).progress.phase !== "resumed") await new Promise(setImmediate);
    held.thaw();
    while ((await listKeys(store, "operations/p/")).every((key) => !/\/steps\/1-\w+\/000002s-b/.test(key)))
      await new Promise(setImmediate);
    await heir.close();
    const last = await openTestDriver({ job: answer("last") }, { store });
    expect((await untilDone(last, name)).outcome).toEqual({ kind: "succeeded", response: ["old a", "last b"] });
    await zombie.close();
    await last.close();
    gate.open();
  });

  it("has its last word when it came before the takeover", async () => {
    const store = createMemoryStore();
    const held = freezable(store, (key, text) => key.endsWith("state.json") && text.includes('"succeeded"'));
    const zombie = await openTestDriver({ job: answer("old") }, { store: held.store });
    const { name } = await zombie.start({ project: "p", kind: "job", input: null });
    await held.frozen;
    await expireOwner(store);
    const claim = freezable(store, (key, text) => key.endsWith("state.json") && text.includes('"epoch":2'));
    const heir = await openTestDriver({ job: answer("new") }, { store: claim.store });
    await claim.frozen;
    held.thaw();
    const before = await untilDone(zombie, name);
    claim.thaw();
    const after = await untilDone(heir, name);
    expect(after).toEqual(before);
    await zombie.close();
    await heir.close();
  });
});
