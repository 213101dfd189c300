// Makes a checkout ready to run on Node 20 or newer: installs the locked packages when they are missing or stale, and
// checks that a Node 24 is at hand (packages bring it on Linux). Plain JavaScript, no dependency: it runs first.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const lockPath = join(root, "package-lock.json");
const stampPath = join(root, "node_modules", ".package-lock.json");

/** Whether what is installed is what the lockfile asks for, judged by npm's own record of the installed tree. */
function isInstalled() {
  if (!existsSync(stampPath)) return false;
  const wanted = JSON.parse(readFileSync(lockPath, "utf8")).packages;
  const present = JSON.parse(readFileSync(stampPath, "utf8")).packages;
  return (
    Object.entries(present).every(([path, entry]) => wanted[path]?.version === entry.version) &&
    Object.entries(wanted).every(
      ([path, entry]) =>
        path === "" ||
        entry.optional ||
        entry.peer ||
        entry.link ||
        !path.startsWith("node_modules/") ||
        path in present,
    )
  );
}

/**
 * `npm install --no-save` and not `npm ci`: it installs the locked versions as well, but tolerates a registry (a hospital's
 * mirror, say) that lacks the optional packages of other platforms, which `npm ci` refuses.
 */
function install() {
  console.log("parfocal: installing packages (once) …");
  const result = spawnSync("npm", ["install", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (result.status !== 0) throw new Error(`npm install failed with exit status ${result.status ?? result.signal}`);
}

/** The Node that runs TypeScript: the packaged one, else the one that runs this script if it is new enough. */
function assertNode24() {
  const packaged = join(root, "node_modules", ".bin", "node");
  const major = Number(process.versions.node.split(".")[0]);
  if (existsSync(packaged) || major >= 24) return;
  throw new Error(
    `Parfocal needs Node 24 or newer and none is packaged for ${process.platform}-${process.arch}; this is Node ${process.versions.node}`,
  );
}

try {
  if (!isInstalled()) install();
  assertNode24();
} catch (error) {
  console.error(`parfocal: ${error.message}`);
  process.exitCode = 1;
}
