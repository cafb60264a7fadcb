/**
 * A value as one word of a POSIX shell script, whatever it holds (XCU 2.2.2). yip runs every file content and command through Go's
 * text/template first, so `{{` never appears in the result: the quotes are closed and reopened between the two braces.
 */
export function shellWord(value: string): string {
  const quoted = value.replaceAll("'", "'\\''").replace(/\{(?=\{)/g, "{''");
  return `'${quoted}'`;
}

/** An address as it may be shown: without user name, password and query, which can be secrets. */
export function shownAddress(url: string): string {
  const parsed = new URL(url);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
