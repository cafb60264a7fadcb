/**
 * What an image may ask of us. Images are untrusted bytes: every loop and every allocation in this folder is bounded by the image's
 * own size or by one of these. mkfs.erofs stays far below them for anything an extension carries.
 */

/** Smallest and largest block size, as powers of two: 512 bytes to 64 KiB (EROFS_MAX_BLOCK_SIZE). */
export const MIN_BLOCK_BITS = 9;
export const MAX_BLOCK_BITS = 16;

/** Bytes of one physical cluster (Z_EROFS_PCLUSTER_MAX_SIZE) and of what one decodes to (Z_EROFS_PCLUSTER_MAX_DSIZE). */
export const MAX_ENCODED_EXTENT = 1024 * 1024;
export const MAX_DECODED_EXTENT = 12 * 1024 * 1024;

/** Bytes of one file; holes and compression let a small image claim any size. */
export const MAX_FILE_SIZE = 64 * 1024 ** 3;

/** Bytes of one directory's entries. */
export const MAX_DIRECTORY_SIZE = 64 * 1024 * 1024;

/** Directory entries of the whole file system. */
export const MAX_ENTRIES = 1024 * 1024;

/** Fewest bytes that one directory entry takes: a 12-byte record and a name; bounds the entries of a small image. */
export const MIN_ENTRY_SIZE = 13;

/** Folders within folders. */
export const MAX_DEPTH = 256;

/** Bytes of a name (EROFS_NAME_LEN), of a path and of a symbolic link's target (Linux PATH_MAX). */
export const MAX_NAME_LENGTH = 255;
export const MAX_PATH_LENGTH = 4096;

/** Symbolic links followed in one lookup (Linux MAXSYMLINKS). */
export const MAX_LINKS_FOLLOWED = 40;

/**
 * Bytes that one listing, one lookup or one `read` may read and decode in all. A real listing takes the size of the metadata; records
 * that point at the same large cluster again and again would take hours.
 */
export const MAX_WORK = 1024 * 1024 * 1024;

/** Bytes that `read` returns at most unless asked otherwise. */
export const DEFAULT_READ_LIMIT = 16 * 1024 * 1024;

/** Bytes read, or decoded, at a time while streaming; with one extent on top this is the memory of a stream. */
export const PIECE_SIZE = 1024 * 1024;

/** The metadata cache: this many pieces of this many bytes. */
export const CACHE_PIECE_SIZE = 64 * 1024;
export const CACHE_PIECES = 64;

/** Names kept from directories seen by lookups. */
export const MAX_CACHED_NAMES = 65536;
