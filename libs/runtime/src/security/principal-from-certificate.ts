import { X509Certificate } from "node:crypto";
import { DomainError } from "@parfocal/errors";

/** One entry of a subject alternative name as Node writes it; names with special characters are quoted. */
const ENTRY = /\s*([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)/gy;

/** What a name may hold that is compared with a policy: nothing that could be read in two ways. */
const NAME = /^[\x21-\x7e]{1,512}$/;

/**
 * The name that a verified client certificate stands for: its URI (a SPIFFE id, say), else `dns:` and its first DNS name.
 * The common name is not looked at.
 *
 * @throws {DomainError} `UNAUTHENTICATED` when it has neither, or more than one URI.
 */
export function nameFromCertificate(der: Buffer): string {
  const names = [...(new X509Certificate(der).subjectAltName ?? "").matchAll(ENTRY)].map(([, type, value]) => ({
    type: type ?? "",
    value: value ?? "",
  }));
  const uris = names.filter(({ type }) => type === "URI");
  // SPIFFE: exactly one URI, or nobody knows which of them is meant.
  if (uris.length > 1) throw unauthenticated(`${uris.length} URIs, the bound is 1`);
  if (uris[0]?.value.toLowerCase().startsWith("dns:")) throw unauthenticated("a URI that reads like a DNS name");
  const dns = names.find(({ type }) => type === "DNS");
  const name = uris[0]?.value ?? (dns === undefined ? undefined : `dns:${dns.value}`);
  if (name === undefined) throw unauthenticated("neither a URI nor a DNS name");
  if (!NAME.test(name) || name.startsWith('"')) throw unauthenticated("a name with characters that no name needs");
  return name;
}

function unauthenticated(what: string): DomainError {
  return new DomainError("UNAUTHENTICATED", `the client certificate has ${what} among its alternative names`);
}
