import type { aggregateV1, pretrainV1, reembedV1 } from "@parfocal/protocol";
import type { Logger, StageClient } from "@parfocal/runtime";
import type { ObjectStore } from "@parfocal/store";
import type { WorkflowDriver } from "@parfocal/workflows";
import type { BagCatalog } from "./catalog/bag-catalog.ts";
import type { ModelCatalog } from "./catalog/model-catalog.ts";
import type { BagImporter } from "./imports/bag-importer.ts";
import type { TemporaryBags } from "./imports/temporary-bag.ts";
import type { StageHealth } from "./stage-health.ts";

/** What the gateway's handlers and workflows work with; each takes the part it needs. */
export interface GatewayDeps {
  readonly store: ObjectStore;
  readonly bags: BagCatalog;
  readonly models: ModelCatalog;
  readonly importer: BagImporter;
  readonly temporaryBags: TemporaryBags;
  readonly operations: WorkflowDriver;
  /** The stage that aggregates and trains. */
  readonly aggregate: StageClient<typeof aggregateV1.AggregateServiceDefinition>["calls"];
  /** The stage that re-embeds. */
  readonly reembed: StageClient<typeof reembedV1.ReembedServiceDefinition>["calls"];
  /** The stage that builds regions and pretrains. */
  readonly pretrain: StageClient<typeof pretrainV1.PretrainServiceDefinition>["calls"];
  /** Whether the stages that predict serve. */
  readonly areStagesServing: StageHealth["areServing"];
  readonly logger: Logger;
}
