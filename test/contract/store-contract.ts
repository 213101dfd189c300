/**
 * What every object store must do, whichever driver is behind the port. Run by store.test.ts (memory, local folder) and
 * by test/integration/store-minio.test.ts (S3).
 */
import type { ObjectStore } from "@parfocal/store";
import { afterAll, beforeAll, describe } from "vitest";
import { describeConditions } from "./store-contract-conditions.ts";
import { describeListing } from "./store-contract-listing.ts";
import { describeReading } from "./store-contract-reading.ts";
import { describeVerified } from "./store-contract-verified.ts";
import { describeWriting } from "./store-contract-writing.ts";

/** A store under test. */
export interface StoreFixture {
  readonly store: ObjectStore;
  /** A second client of the same store, as another process would have. */
  readonly other: ObjectStore;
  /** Number of uploads that were begun and neither finished nor aborted; absent where there is no such thing. */
  readonly countUnfinished?: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** What differs between stores and is meant to. */
export interface StoreTraits {
  /** Whether `presign` gives URLs. */
  readonly hasUrls: boolean;
  /** Whether it keeps objects in this process. */
  readonly isInMemory: boolean;
  /**
   * What becomes of `a/b` where `a` is an object: it is as any other; it can be read but is not listed (MinIO); or
   * whichever comes second is refused (VersityGW, whose folders are folders).
   */
  readonly belowObjects: "listed" | "hidden" | "refused";
  /** Whether tokens of pages that it never gave are refused; VersityGW takes them as the key to begin after. */
  readonly refusesForeignTokens: boolean;
  /** The part size of the fixture's options: bodies beyond it are uploaded in parts. */
  readonly partSizeBytes: number;
}

/** Gives the fixture to the tests, which run after it was made. */
export type GetFixture = () => StoreFixture;

/** Describes the contract of a store; `createFixture` runs once, before the tests. */
export function describeStoreContract(
  name: string,
  traits: StoreTraits,
  createFixture: () => Promise<StoreFixture>,
): void {
  describe(`object store contract: ${name}`, () => {
    let fixture: StoreFixture | undefined;
    beforeAll(async () => {
      fixture = await createFixture();
    });
    afterAll(async () => {
      await fixture?.stop();
    });
    const getFixture = () => {
      if (fixture === undefined) throw new Error("the fixture is not there yet");
      return fixture;
    };
    describeReading(getFixture);
    describeWriting(getFixture, traits);
    describeConditions(getFixture);
    describeListing(getFixture, traits);
    describeVerified(getFixture, traits);
  });
}
