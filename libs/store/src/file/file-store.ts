import { fileURLToPath, pathToFileURL } from "node:url";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import { assertPutOptions, objectNotFound } from "../conditions.ts";
import { assertKey, assertPrefix } from "../key.ts";
import type { CallOptions, ObjectStore } from "../object-store.ts";
import { deleteObject } from "./delete-object.ts";
import { fileError } from "./file-error.ts";
import { findFile } from "./file-info.ts";
import { createKeyLocks } from "./key-lock.ts";
import { listObjects } from "./list-objects.ts";
import { readObject, streamObject } from "./read-object.ts";
import { cleanTempFiles } from "./temp-files.ts";
import { writeObject } from "./write-object.ts";

/**
 * A store in a local folder, which is made by the first put. Safe for any number of processes, and against their death
 * at any point. Opening removes the unfinished files of dead processes. `presign` is `UNSUPPORTED_OPERATION`: a folder
 * has no URLs that carry permission.
 *
 * @param uri `file:///folder`, or `file:folder` for one of the working directory.
 * @throws {DomainError} INVALID_ARGUMENT when `uri` is neither.
 */
export function createFileStore(uri: string): ObjectStore {
  const root = rootFromUri(uri);
  cleanTempFiles(root);
  const locks = createKeyLocks(root);
  return {
    rootUri: pathToFileURL(root).href,
    get: (key, options = {}) => guarded(key, options, "read the object", () => readObject(root, key, options)),
    getStream: (key, options = {}) => guarded(key, options, "read the object", () => streamObject(root, key, options)),
    put: (key, body, options = {}) =>
      guarded(key, options, "write the object", () => {
        assertPutOptions(options);
        return writeObject(root, locks, key, body, options);
      }),
    head: (key, options = {}) =>
      guarded(key, options, "look at the object", async () => {
        const found = await findFile(root, key);
        if (found === undefined) throw objectNotFound();
        return found.info;
      }),
    list: (prefix, options = {}) =>
      mapped(options, "list the folder", () => {
        assertPrefix(prefix);
        return listObjects(root, prefix, options);
      }),
    delete: (key, options = {}) =>
      guarded(key, options, "delete the object", () => deleteObject(root, locks, key, options.signal)),
    presign: async () => {
      throw new DomainError("UNSUPPORTED_OPERATION", "a local folder has no URLs that carry permission");
    },
    close: () => locks.close(),
  };
}

function guarded<T>(key: string, options: CallOptions, action: string, work: () => Promise<T>): Promise<T> {
  return mapped(options, action, () => {
    assertKey(key);
    return work();
  });
}

async function mapped<T>({ signal }: CallOptions, action: string, work: () => Promise<T>): Promise<T> {
  assertNotAborted(signal);
  try {
    return await work();
  } catch (error) {
    throw isOwnError(error) ? fileError(error, action) : error;
  }
}

/** Errors of the file system carry `syscall`; what a body's source threw goes to the caller unchanged. */
function isOwnError(error: unknown): boolean {
  return error instanceof Error && ("syscall" in error || "errcode" in error);
}

function rootFromUri(uri: string): string {
  // `file:folder`, without a slash, is a folder of the working directory: by itself it would parse as one of the root.
  const url = URL.parse(uri, `${pathToFileURL(process.cwd()).href}/`);
  if (url?.protocol !== "file:" || url.host !== "" || url.search !== "" || url.hash !== "" || url.pathname === "/") {
    throw new DomainError("INVALID_ARGUMENT", "a local store is file:///folder, with an absolute path below /");
  }
  return fileURLToPath(url).replace(/\/+$/, "");
}
