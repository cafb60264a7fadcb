/**
 * Fills {name} placeholders in a text. Unknown names stay as they are, so that a shell's or URL's braces survive; values are
 * inserted unchanged.
 */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
