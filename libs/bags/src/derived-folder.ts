/**
 * Folder of what is made of a bag and can be made again, by the bag's digest: its re-embeddings and thinned copies. They are its tiles in
 * another form, so whoever deletes the bag deletes them too.
 */
export function derivedFolder(digest: string): string {
  return `cache/reembed/${digest}`;
}

/** The digest of the bag of whose {@link derivedFolder} a key is; undefined for other keys. */
export function bagOfDerived(key: string): string | undefined {
  return /^cache\/reembed\/([0-9a-f]{64})\//u.exec(key)?.[1];
}
