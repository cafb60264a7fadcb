/** Where a person says that something is: true for an http(s) address, false for a path. */
export function isAddress(place: string): boolean {
  return /^https?:\/\//.test(place);
}
