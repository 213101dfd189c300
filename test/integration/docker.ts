import { getContainerRuntimeClient } from "testcontainers";

/**
 * Why tests with containers cannot run here; `undefined` when they can.
 *
 * @throws Error where they must run: with `CI=true` or `PARFOCAL_REQUIRE_DOCKER=1` a missing engine is a failure.
 */
export async function whyNoDocker(): Promise<string | undefined> {
  try {
    await getContainerRuntimeClient();
    return undefined;
  } catch (error) {
    const reason = `no Docker engine (scripts/ci-docker.sh starts one): ${error instanceof Error ? error.message : ""}`;
    const { CI, PARFOCAL_REQUIRE_DOCKER: required } = process.env;
    if (CI === "true" || required === "1") throw new Error(`${reason}; this run requires one`, { cause: error });
    return reason;
  }
}
