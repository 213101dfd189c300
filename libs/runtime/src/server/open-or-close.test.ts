import { expect, it } from "vitest";
import { createSilentLogger } from "../telemetry/logger.ts";
import { openOrClose } from "./open-or-close.ts";

const logger = createSilentLogger();

it("leaves open what a start that succeeds opened, until its stack is closed", async () => {
  const closed: string[] = [];
  const { close } = await openOrClose(logger, async (opened) => {
    opened.defer(() => void closed.push("store"));
    return { close: () => opened.disposeAsync() };
  });
  expect(closed).toEqual([]);
  await close();
  expect(closed).toEqual(["store"]);
});

it("closes in reverse order what a start that fails opened, all of it, and throws why it failed", async () => {
  const closed: string[] = [];
  const starting = openOrClose(logger, async (opened) => {
    opened.defer(() => void closed.push("store"));
    opened.defer(() => Promise.reject(new Error("it will not close")));
    opened.adopt("server", async (name) => void closed.push(name));
    throw new Error("the port is taken");
  });
  await expect(starting).rejects.toThrow("the port is taken");
  expect(closed).toEqual(["server", "store"]);
});
