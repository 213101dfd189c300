import { randomUUID } from "node:crypto";
import type { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { followOperation } from "../client/follow-operation.ts";
import { bagsOfSlides } from "../client/regional-bags.ts";
import { createPretrainSpec, type PretrainOptions } from "../cohort/pretrain-spec.ts";
import { isRegionBag } from "../cohort/region-bags.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { pretrainRecord, showPretraining } from "../output/pretrain-table.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";
import { modelOf } from "./train.ts";

/** Options of `pretrain`. */
export interface PretrainCommandOptions extends PretrainOptions {
  readonly model: string;
  readonly bags?: readonly string[];
  readonly allRegions?: boolean;
  readonly seed: bigint;
  readonly requestId?: string;
  readonly wait: boolean;
}

/** `parfocal pretrain`. */
export async function runPretrain(context: CommandContext, options: PretrainCommandOptions): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if ((options.bags === undefined) === (options.allRegions !== true))
    throw new UsageError("name region bags by --bags, or give --all-regions");
  // What is wrong without bags is wrong before any service starts.
  createPretrainSpec(options, undefined);
  const { clients, isEmbedded } = await context.connect();
  if (!options.wait && isEmbedded) {
    throw new UsageError("--no-wait needs a gateway that outlives this command: run 'parfocal up', or give --gateway");
  }
  const bags = await regionBags(context, clients, options.bags);
  const spec = createPretrainSpec(options, bags[0]?.info?.levelCount);
  output.note(`${plural(bags.length, "region bag")} of ${plural(bags[0]?.info?.levelCount ?? 0, "magnification")}`);
  const request: gatewayV1.PretrainRequest = {
    ...{ parent, modelId: options.model, bags: bags.map(({ name }) => name), seed: options.seed, spec },
    requestId: options.requestId ?? randomUUID(),
  };
  const operation = await clients.training.pretrain(request, { signal });
  output.note(`operation ${operation.name}`);
  if (!options.wait) {
    output.record({ operation: operation.name, requestId: request.requestId });
    output.line(operation.name);
    return EXIT_CODES.ok;
  }
  const done = await followOperation(clients, operation.name, { output, signal, isOwner: true });
  const model = modelOf(done);
  output.record(pretrainRecord(operation.name, model));
  showPretraining(output, model);
  output.line();
  output.line(`model ${model.name}`);
  return EXIT_CODES.ok;
}

/** The region bags meant. @throws {UsageError} when there are none, a name means none, or a slide has several. */
async function regionBags(
  { parent, signal }: CommandContext,
  clients: GatewayClients,
  names: readonly string[] | undefined,
): Promise<readonly gatewayV1.Bag[]> {
  const { bags, failures } = await bagsOfSlides(clients, names, { parent, signal });
  const [failure] = failures;
  if (failure !== undefined) throw new UsageError(`--bags ${failure.named}: ${failure.message}`);
  const found = [...new Map(bags.filter(isRegionBag).map((bag) => [bag.name, bag])).values()];
  assertOnePerSlide(found);
  if (found.length > 0) return found;
  throw new UsageError(
    `there are no region bags among ${plural(bags.length, "bag")}; 'parfocal regions build' makes them`,
  );
}

/** Digits of a digest that tell bags apart for people. */
const SHOWN_DIGITS = 12;

/**
 * Refuses region bags of one slide, as builds with other options leave them: which one is meant only the caller knows. Bags that
 * name no slide are slides of their own.
 *
 * @throws {UsageError} naming the first such slide and the digests of its bags.
 */
export function assertOnePerSlide(bags: readonly gatewayV1.Bag[]): void {
  const groups = Map.groupBy(bags, ({ name, info }) => info?.slideId || name);
  const [crowded, ...others] = [...groups].filter(([, members]) => members.length > 1);
  if (crowded === undefined) return;
  const [slide, members] = crowded;
  const digests = members.map(({ name }) => name.slice(name.lastIndexOf("/") + 1).slice(0, SHOWN_DIGITS));
  const more = others.length === 0 ? "" : `; the same goes for ${plural(others.length, "other slide")}`;
  throw new UsageError(
    `slide "${slide}" has ${members.length} region bags, ${digests.join(" and ")}${more}: name one of them by its digest in --bags, or delete the others by 'parfocal bags delete'`,
  );
}
