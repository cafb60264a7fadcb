import packageJson from '../../package.json' with { type: 'json' };

/** This program's version, from package.json. */
export const VERSION: string = packageJson.version;

declare const SEXTANT_SOURCE: string | undefined;

/** SHA-256 of the sources this program was bundled from: two programs of one version may differ while one is being worked on. */
export const SOURCE_DIGEST: string = typeof SEXTANT_SOURCE === 'string' ? SEXTANT_SOURCE : 'not bundled';
