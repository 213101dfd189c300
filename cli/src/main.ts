#!/usr/bin/env node
import { runProgram } from "./program.ts";

// Readers such as `head` close the pipe early: that is their right, not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});
await runProgram(process.argv);
