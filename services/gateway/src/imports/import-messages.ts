import type { BagMetadata, BagRef } from "@parfocal/bags";
import type { DomainErrorCode } from "@parfocal/errors";
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
  /** Plain name of the file: its ending tells the layout, its stem the slide. A local `path` need not end in it. */
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
export interface ImportCommand {
  readonly kind: "import";
  readonly job: ImportJob;
  /** Existing folder for what must be on disk. The parent removes it, as the worker may be killed at any time. */
  readonly folder: string;
  /** Bags that an earlier try stored already: they are passed over. */
  readonly nDone: number;
}

/** Worker to parent: bags as outcomes, then an error as outcome or one of the others, and then nothing more of the job. */
export type ImportReply =
  | { readonly kind: "outcome"; readonly outcome: ImportOutcome }
  | { readonly kind: "done" }
  /** The service failed and nothing is known of the file. */
  | { readonly kind: "failed"; readonly code: DomainErrorCode; readonly message: string };
