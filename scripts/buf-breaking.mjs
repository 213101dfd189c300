/**
 * `npm run proto:breaking`: buf's FILE rules on every proto of this repository, against the main branch. On main itself
 * the commit before is the base. Where no base can be had (a shallow clone, a first commit) it says so: with `CI` set
 * that is a failure, since a check that did not run must not look like one that passed.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { runBuf } from "./buf.mjs";
import { layOutProtoImports } from "./proto-imports.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What git prints, or undefined when it refuses. */
function git(...args) {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/** The commit to compare with: the merge base with main, or on main the first parent. */
function findBase() {
  const head = git("rev-parse", "--verify", "HEAD");
  if (head === undefined) return { reason: "this is no git checkout" };
  const asked = process.env.PROTO_BASE;
  const main = [asked, "origin/main", "main"].find((ref) => ref && git("rev-parse", "--verify", `${ref}^{commit}`));
  if (asked && main !== asked) return { reason: `PROTO_BASE names "${asked}", which is no commit here` };
  if (main === undefined) return { reason: "there is no main branch in this clone" };
  const shared = git("merge-base", main, "HEAD");
  if (shared === undefined) return { reason: `this clone is too shallow to know where it left ${main}` };
  if (shared !== head) return { commit: shared };
  const parent = git("rev-parse", "--verify", "HEAD^1");
  return parent === undefined
    ? { reason: "HEAD is main and this clone does not hold the commit before it" }
    : { commit: parent };
}

/** The base's protos, under our buf.yaml and beside our imports: only what we wrote can break. */
function checkOutBase(commit, folder) {
  const archive = execFileSync("git", ["archive", commit, "proto", "buf.yaml"], { cwd: root, maxBuffer: 1 << 28 });
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  execFileSync("cp", ["-r", "--parents", ".cache/proto", folder], { cwd: root });
}

function skip(reason) {
  console.error(`proto:breaking did not run: ${reason}`);
  process.exitCode = process.env.CI ? 1 : 0;
}

layOutProtoImports();
const base = findBase();
if (base.commit === undefined) {
  skip(base.reason);
} else if (!git("ls-tree", "--name-only", base.commit, "buf.yaml", "proto/parfocal")?.includes("buf.yaml")) {
  skip(`the base ${base.commit.slice(0, 12)} holds no protos yet`);
} else {
  mkdirSync(path.join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(path.join(root, ".cache/proto-base-"));
  try {
    checkOutBase(base.commit, folder);
    const isKept = await runBuf("breaking", "--against", path.relative(root, folder));
    console.log(`proto:breaking: ${isKept ? "nothing" : "see above what"} broke since ${base.commit.slice(0, 12)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
