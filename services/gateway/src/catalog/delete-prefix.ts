import type { CallOptions, ObjectStore } from "@parfocal/store";

/** Deletes every object below `prefix`; gives how many. Repeating it after a crash finishes the work. */
export async function deletePrefix(store: ObjectStore, prefix: string, options: CallOptions): Promise<number> {
  let count = 0;
  for (;;) {
    const page = await store.list(prefix, options);
    await Promise.all(page.objects.map((object) => store.delete(object.key, options)));
    count += page.objects.length;
    if (page.nextPageToken === undefined) return count;
  }
}
