import type { ActivatedRelease } from '../../activation-input.ts';

/** What a release's page has in it for its script. `url` may be relative to the catalog. */
export interface PageRelease extends ActivatedRelease {
  /** Certificate that signed every image. */
  readonly certificatePem?: string;
}
