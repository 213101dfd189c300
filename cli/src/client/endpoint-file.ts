import { readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What `parfocal up` leaves beside a local store, so that commands of the same folder find it. */
interface Endpoint {
  readonly address: string;
  readonly pid: number;
}

/** Time to connect to a gateway of this machine. */
const CONNECT_MS = 1000;

/** Path of the endpoint file of a store; nothing for a store that is no local folder. */
export function endpointPathOf(storeUri: string): string | undefined {
  if (!storeUri.startsWith("file:")) return undefined;
  // As the store reads it: `file:folder` is a folder of the working directory.
  const url = URL.parse(storeUri, `${pathToFileURL(process.cwd()).href}/`);
  return url === null ? undefined : `${fileURLToPath(url).replace(/\/+$/, "")}.gateway.json`;
}

/** Leaves the address of this process's gateway beside its store; gives what removes it again. */
export async function writeEndpoint(storeUri: string, address: string): Promise<() => void> {
  const path = endpointPathOf(storeUri);
  if (path === undefined) return () => {};
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ address, pid: process.pid } satisfies Endpoint)}\n`);
  return () => {
    if (readEndpoint(path)?.pid === process.pid) rmSync(path, { force: true });
  };
}

/** Address of the gateway that runs on a local store, if its process lives and listens. */
export async function findEndpoint(storeUri: string): Promise<string | undefined> {
  const path = endpointPathOf(storeUri);
  const endpoint = path === undefined ? undefined : readEndpoint(path);
  if (endpoint === undefined || !isAlive(endpoint.pid)) return undefined;
  return (await canConnect(endpoint.address)) ? endpoint.address : undefined;
}

function readEndpoint(path: string): Endpoint | undefined {
  try {
    const { address, pid } = JSON.parse(readFileSync(path, "utf8")) as Partial<Endpoint>;
    return typeof address === "string" && typeof pid === "number" ? { address, pid } : undefined;
  } catch {
    // Absent or half written: as good as none.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether something listens at `host:port`. */
export function canConnect(address: string, timeoutMs = CONNECT_MS): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return new Promise((settle) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)), timeout: timeoutMs });
    const end = (isOpen: boolean) => {
      socket.destroy();
      settle(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}
