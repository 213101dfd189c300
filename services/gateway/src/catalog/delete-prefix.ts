import type { CallOptions, ObjectStore } from "@parfocal/store";

/** Deletes every object below `prefix`. Repeating it after a crash finishes the work. */
export async function deletePrefix(store: ObjectStore, prefix: string, options: CallOptions): Promise<void> {
  for (;;) {
    const page = await store.list(prefix, options);
    await Promise.all(page.objects.map((object) => store.delete(object.key, options)));
    if (page.nextPageToken === undefined) return;
  }
}
