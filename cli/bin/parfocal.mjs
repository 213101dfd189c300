#!/usr/bin/env node
// Runs the command line on a Node that runs TypeScript: this one if it is 24 or newer, else the one that the packages
// bring. Plain JavaScript without syntax newer than Node 18, so that an older Node gets a sentence and not a stack.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const main = new URL("../src/main.ts", import.meta.url);
const packaged = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

/** Starts the packaged Node in the place of this one: same streams, signals passed on, same end. */
function runPackaged() {
  const child = spawn(packaged, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" });
  // A Ctrl-C reaches everything that runs in the terminal by itself; passed on as well it would count as the second one.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  const pass = (signal) => process.on(signal, () => child.kill(signal));
  pass("SIGTERM");
  pass("SIGHUP");
  if (hasTerminal) process.on("SIGINT", () => {});
  else pass("SIGINT");
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

if (Number(process.versions.node.split(".")[0]) >= 24) {
  await import(main.href);
} else if (existsSync(packaged)) {
  runPackaged();
} else {
  console.error(`parfocal: needs Node 24 or newer and none is packaged here; this is Node ${process.versions.node}`);
  process.exitCode = 3;
}
