#!/usr/bin/env node
import { EXIT_CODES } from "./exit-codes.ts";
import { runProgram } from "./program.ts";

/** Time that a process whose command failed has to end by itself. */
const LEFT_OPEN_MS = 2000;

// Readers such as `head` close the pipe early: that is their right, not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});
await runProgram(process.argv);
// What a command that failed left open must not keep its process.
if (process.exitCode !== EXIT_CODES.ok) setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
