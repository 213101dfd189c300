import { execFileSync } from "node:child_process";

/** Interpreter of tests that need Python; `PARFOCAL_TEST_PYTHON` names another one. */
export const PYTHON = process.env.PARFOCAL_TEST_PYTHON ?? "python3";

/** Whether {@link PYTHON} has `modules` (e.g. `numpy, onnxruntime`); where not, says that `test` is skipped and why. */
export function hasPythonModules(modules: string, test: string): boolean {
  try {
    execFileSync(PYTHON, ["-c", `import ${modules}`], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(`${test} is skipped: ${PYTHON} cannot import ${modules} (PARFOCAL_TEST_PYTHON)`);
    return false;
  }
}
