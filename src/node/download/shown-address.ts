/** An address without a password, for people; what follows a "?" may be a secret too. */
export function shownAddress(address: string): string {
  return address.replace(/^([a-z]+:\/\/)[^/?#]*@/, '$1').replace(/\?.*$/s, '?...');
}
