import { fileURLToPath } from "node:url";
import { DomainError } from "@parfocal/errors";
import type { StoreAddress } from "./import-messages.ts";

/** The places that clients may import from. */
export interface SourceRoots {
  /**
   * The store and key that a URI names.
   *
   * @throws {DomainError} `FORBIDDEN` when it is below none of the roots: a client must not read through the gateway
   *   what it could not read itself.
   */
  resolve(uri: string): { readonly store: StoreAddress; readonly key: string };
}

/**
 * An allow-list of URIs, each `s3://bucket[/prefix]` or `file:///folder`, without a trailing slash.
 *
 * @param ownUri Root of the gateway's own store: what lies in it must be named as the isolation of projects knows it, which
 *   compares texts, and not by another spelling of the same path.
 */
export function createSourceRoots(
  roots: readonly string[],
  options: StoreAddress["options"],
  ownUri?: string,
): SourceRoots {
  const ownPath = ownUri?.startsWith("file:") ? `${fileURLToPath(ownUri)}/` : undefined;
  const isDisguised = (root: string, key: string, uri: string): boolean =>
    ownPath !== undefined &&
    root.startsWith("file:") &&
    !uri.startsWith(`${ownUri}/`) &&
    `${fileURLToPath(root)}/${key}`.startsWith(ownPath);
  return {
    resolve(uri) {
      const root = roots.find((candidate) => uri.startsWith(`${candidate}/`));
      const key = root === undefined ? "" : uri.slice(root.length + 1);
      if (root === undefined || key === "" || hasDotPart(key) || isDisguised(root, key, uri)) {
        const count = roots.length === 0 ? "none is configured" : `${roots.length} are configured`;
        throw new DomainError("FORBIDDEN", `a URI of ${uri.length} characters is below no import root (${count})`);
      }
      return { store: { uri: root, options }, key };
    },
  };
}

function hasDotPart(key: string): boolean {
  return key.split("/").some((part) => part === "" || part === "." || part === "..");
}
