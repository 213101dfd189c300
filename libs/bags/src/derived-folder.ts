/**
 * Folder of what is made of a bag and can be made again, by the bag's digest: its re-embeddings and thinned copies. They are its tiles in
 * another form, so whoever deletes the bag deletes them too.
 */
export function derivedFolder(digest: string): string {
  return `cache/reembed/${digest}`;
}
