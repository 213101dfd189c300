import { readFile } from "node:fs/promises";

/** What an image starts Node with. */
export interface ImageOptions {
  /** Of all images, by the environment: `NODE_OPTIONS`. */
  readonly nodeOptions: string;
  /** The image's own, as arguments before the program: the environment does not take all of them. */
  readonly execArgv: string[];
}

/** The options that `deploy/Dockerfile` starts a service with. @throws When it does not start that service. */
export async function imageOptionsOf(service: "gateway" | "aggregate" | "reembed" | "pretrain"): Promise<ImageOptions> {
  const file = await readFile(new URL("../../deploy/Dockerfile", import.meta.url), "utf8");
  const entry = new RegExp(`^ENTRYPOINT \\["node", (.*)"services/${service}/`, "m").exec(file);
  if (entry === null) throw new Error(`deploy/Dockerfile starts no service ${service}`);
  const nodeOptions = /NODE_OPTIONS="([^"]+)"/.exec(file)?.[1];
  if (nodeOptions === undefined) throw new Error("deploy/Dockerfile has no NODE_OPTIONS");
  return { nodeOptions, execArgv: [...(entry[1] ?? "").matchAll(/"([^"]+)"/g)].flatMap(([, option]) => option ?? []) };
}
