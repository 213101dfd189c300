// The gate on one machine: every verb in order, the first failure ends it. `--no-test` leaves the tests to the caller.
import { spawnSync } from "node:child_process";

const verbs = [
  "setup",
  "generate:check",
  "proto:lint",
  "proto:breaking",
  "format:check",
  "lint",
  "typecheck",
  "boundaries",
  "deadcode",
  "test",
];
const wanted = process.argv.includes("--no-test") ? verbs.filter((verb) => verb !== "test") : verbs;

for (const verb of wanted) {
  const start = Date.now();
  console.log(`\n── ${verb}`);
  const { status } = spawnSync("npm", ["run", "--silent", verb], { stdio: "inherit" });
  if (status !== 0) {
    console.error(`check: ${verb} failed`);
    process.exit(1);
  }
  console.log(`   ${verb} passed in ${((Date.now() - start) / 1000).toFixed(1)} s`);
}
console.log("\ncheck: all green");
