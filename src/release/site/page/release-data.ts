import type { ActivatedRelease } from '../../activation-input.ts';

/** What a release's page has in it for its script. `url` may be relative to the catalog. */
export interface PageRelease extends ActivatedRelease {
  /** Certificates that a strict node is to trust, PEM; absent where not every image is signed. */
  readonly certificatePem?: string;
}
