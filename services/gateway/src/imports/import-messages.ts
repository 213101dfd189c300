import type { BagMetadata, BagRef } from "@parfocal/bags";
import type { StoreOptions } from "@parfocal/store";

/** A store as plain data: what {@link openStore} takes, so that it can be handed to another process. */
export interface StoreAddress {
  readonly uri: string;
  readonly options: StoreOptions;
}

/** What the client knows better than the file; absent fields are left to the importer. */
export interface ImportHints {
  readonly slideId?: string;
  readonly patientId?: string;
  readonly encoder?: string;
  readonly tilePx?: number;
  readonly mpp?: number;
  readonly level0Mpp?: number;
}

/** One file to import. */
export interface ImportJob {
  readonly source: /** A file of this machine, spooled from an upload. */
    | { readonly kind: "file"; readonly path: string }
    /** An object of a store that the gateway may read. */
    | { readonly kind: "object"; readonly store: StoreAddress; readonly key: string };
  /** Plain name of the file: its ending tells the layout, its stem the slide. A local `path` ends in it. */
  readonly fileName: string;
  readonly hints: ImportHints;
  /** Where the canonical bags go. */
  readonly target: StoreAddress;
  readonly targetPrefix: string;
}

/** One bag that a file made, or why it (or the rest of it) made none. */
export type ImportOutcome =
  | {
      readonly kind: "bag";
      readonly ref: BagRef;
      readonly metadata: BagMetadata;
      readonly inferred: Readonly<Record<string, string>>;
    }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

/** Parent to worker. */
export type ImportCommand = { readonly kind: "import"; readonly job: ImportJob };

/** Worker to parent. */
export type ImportReply = { readonly kind: "outcome"; readonly outcome: ImportOutcome } | { readonly kind: "done" };
