import type { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "./clients.ts";

/** Largest page that the gateway gives. */
const PAGE_SIZE = 1000;

/** Everything on every page that `list` gives. */
export async function collectPages<T>(
  list: (pageToken: string) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await list(pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return items;
}

/** All bags of a project, in the order of their ids. */
export function listAllBags({ bags }: GatewayClients, parent: string, signal: AbortSignal): Promise<gatewayV1.Bag[]> {
  return collectPages(async (pageToken) => {
    const page = await bags.listBags({ parent, pageSize: PAGE_SIZE, pageToken }, { signal });
    return { items: page.bags, nextPageToken: page.nextPageToken };
  });
}

/** All versions of the models of a project, or of one model. */
export function listAllModels(
  { models }: GatewayClients,
  parent: string,
  signal: AbortSignal,
): Promise<gatewayV1.Model[]> {
  return collectPages(async (pageToken) => {
    const page = await models.listModels({ parent, pageSize: PAGE_SIZE, pageToken }, { signal });
    return { items: page.models, nextPageToken: page.nextPageToken };
  });
}
