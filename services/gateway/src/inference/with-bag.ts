import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { type commonV1, parseResourceName } from "@parfocal/protocol";
import type { GatewayDeps } from "../deps.ts";
import type { ImportHints } from "../imports/import-messages.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { createTemporaryFolder, removeTemporaryFolder } from "../imports/temporary-folders.ts";
import { bagReferenceFromRef } from "../wire.ts";
import type { InferSubject } from "./infer-subject.ts";

/** What {@link withBag} needs. */
export type WithBagDeps = Pick<GatewayDeps, "store" | "bags" | "temporaryBags"> & { readonly roots: SourceRoots };

/** A bag that an inference can ask about. */
export interface SubjectBag {
  readonly reference: commonV1.BagReference;
  /** Whether it is gone after the call. */
  readonly isTransient: boolean;
}

/** What {@link withBag} is asked for. */
export interface BagRequest {
  readonly project: string;
  readonly subject: InferSubject;
  /** Of files and tensors; a bag of the catalog knows its own and takes none. */
  readonly hints: ImportHints;
  readonly signal: AbortSignal;
}

/**
 * Gives `work` the bag that an inference is about. Files and tensors become one by the ordinary import, in a process of its own, for
 * the time of the call.
 *
 * @throws {DomainError} `FORBIDDEN` for a bag of another project and a URI outside the import roots; `NOT_FOUND`; `INVALID_ARGUMENT` for
 *   hints beside a bag of the catalog, which would be ignored; what the import says.
 */
export async function withBag<T>(
  { store, bags, temporaryBags, roots }: WithBagDeps,
  { project, subject, hints, signal }: BagRequest,
  work: (bag: SubjectBag) => Promise<T>,
): Promise<T> {
  const ofFile = (source: Parameters<typeof temporaryBags.with>[0]["source"], fileName: string) =>
    temporaryBags.with({ project, source, fileName, hints }, signal, (ref) =>
      work({ reference: bagReferenceFromRef(store, ref), isTransient: true }),
    );
  switch (subject.kind) {
    case "bag": {
      assertNoHints(hints);
      const parsed = parseResourceName("bag", subject.name, "inputs.bag");
      if (parsed.project !== project)
        throw new DomainError("FORBIDDEN", "the model and the bag belong to different projects");
      const { ref } = await bags.get(project, parsed.bag, { signal });
      return work({ reference: bagReferenceFromRef(store, ref), isTransient: false });
    }
    case "object":
      return ofFile(
        { kind: "object", ...roots.resolve(subject.uri) },
        subject.uri.slice(subject.uri.lastIndexOf("/") + 1),
      );
    case "tensors":
      return withFile(subject.file, ofFile);
  }
}

function assertNoHints(hints: ImportHints): void {
  if (Object.keys(hints).length === 0) return;
  const message =
    "parameters are given beside a bag of the catalog, which knows its own; they are for tensors and files";
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "parameters" } });
}

type OfFile<T> = (source: { readonly kind: "file"; readonly path: string }, fileName: string) => Promise<T>;

async function withFile<T>(bytes: Uint8Array, work: OfFile<T>): Promise<T> {
  const folder = await createTemporaryFolder("inference");
  const fileName = "tensors.safetensors";
  try {
    const path = join(folder, fileName);
    await writeFile(path, bytes);
    return await work({ kind: "file", path }, fileName);
  } finally {
    await removeTemporaryFolder(folder);
  }
}
