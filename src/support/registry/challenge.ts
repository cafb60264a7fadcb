export interface Challenge {
  /** Lower case: "bearer", "basic". */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `WWW-Authenticate: Bearer realm="...",service="...",scope="..."` (RFC 9110, 11.6.1; RFC 6750, 3); undefined for what is none. */
export function parseChallenge(header: string): Challenge | undefined {
  const match = /^\s*([A-Za-z]+)(?:\s+(.*))?$/s.exec(header);
  if (match === null) return undefined;
  const parameters: Record<string, string> = {};
  for (const [, name = '', quoted, plain] of (match[2] ?? '').matchAll(
    /([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g,
  )) {
    parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
  }
  return { scheme: (match[1] ?? '').toLowerCase(), parameters };
}
