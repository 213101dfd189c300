/**
 * The first key that occurs twice in one object of a JSON text, or nothing.
 *
 * `JSON.parse` keeps the last of two equal keys without a word, so two readers could see two different tensors in one
 * file. Cost: one pass. `json` must already have been accepted by `JSON.parse`; this scan only tracks strings and depth.
 */
export function findDuplicateKey(json: string): string | undefined {
  const scopes: (Set<string> | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gsu;
  for (const match of json.matchAll(token)) {
    const text = match[0];
    if (text === "{") scopes.push(new Set());
    else if (text === "[") scopes.push(undefined);
    else if (text === "}" || text === "]") scopes.pop();
    else if (match[1] !== undefined) {
      const key = JSON.parse(text.slice(0, -match[1].length)) as string;
      const scope = scopes.at(-1);
      if (scope?.has(key)) return key;
      scope?.add(key);
    }
  }
  return undefined;
}
