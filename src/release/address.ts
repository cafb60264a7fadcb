/** Where a person says that something is: true for an http(s) address, false for a path. */
export function isAddress(place: string): boolean {
  return /^https?:\/\//.test(place);
}

/** Whether it is in a registry: oci://HOST/REPOSITORY:TAG. */
export function isRegistryPlace(place: string): boolean {
  return /^oci(?:\+http)?:/.test(place);
}
