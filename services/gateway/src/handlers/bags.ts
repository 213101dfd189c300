import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { bagFromEntry } from "../wire.ts";

type Deps = Pick<GatewayDeps, "store" | "bags">;

/** `GetBag`. */
export function createGetBag({ store, bags }: Deps) {
  return async ({ name }: gatewayV1.GetBagRequest, { signal }: HandlerContext): Promise<gatewayV1.GetBagResponse> => {
    const { project, bag } = parseResourceName("bag", name);
    return { bag: bagFromEntry(store, project, await bags.get(project, bag, { signal })) };
  };
}

/** `ListBags`. */
export function createListBags({ store, bags }: Deps) {
  return async (
    { parent, pageSize, pageToken }: gatewayV1.ListBagsRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.ListBagsResponse> => {
    const { project } = parseResourceName("project", parent, "parent");
    const { items, nextPageToken } = await bags.list(project, { pageSize, pageToken, signal });
    return { bags: items.map((entry) => bagFromEntry(store, project, entry)), nextPageToken };
  };
}

/** `DeleteBag`. */
export function createDeleteBag({ bags }: Pick<GatewayDeps, "bags">) {
  return async (
    { name }: gatewayV1.DeleteBagRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.DeleteBagResponse> => {
    const { project, bag } = parseResourceName("bag", name);
    await bags.delete(project, bag, { signal });
    return {};
  };
}
