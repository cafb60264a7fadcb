declare const SEXTANT_NODE_VERSION: string | undefined;
declare const SEXTANT_NODE_SOURCE: string | undefined;

/** Version of sextant that this program belongs to; tools/bundle.mjs fills it in. */
export const VERSION = typeof SEXTANT_NODE_VERSION === 'string' ? SEXTANT_NODE_VERSION : '0.0.0';

/** SHA-256 of this program's sources and of the pins of what compiles them: equal digests are equal programs. */
export const SOURCE_DIGEST = typeof SEXTANT_NODE_SOURCE === 'string' ? SEXTANT_NODE_SOURCE : 'not bundled';
