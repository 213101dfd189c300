import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs buf in the repository's root with its output on this terminal. Its plugins run under the node that runs this, so
 * that an older node on the PATH cannot change what they write. Gives whether it ended well; when not, the process will
 * end with its code.
 */
export async function runBuf(...args) {
  const child = spawn(`${root}node_modules/.bin/buf`, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH ?? ""}` },
  });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  // Killed by a signal it has no code.
  if (code !== 0) process.exitCode = code ?? 1;
  return code === 0;
}
