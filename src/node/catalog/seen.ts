import { Failure } from '../failure.ts';
import { makeFolders, replaceFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { CATALOG_MEMORY, folderOf } from '../model/paths.ts';

/** The newest catalog that this node has taken from an address. */
export interface SeenCatalog {
  readonly serial: number;
  /** Of its bytes, 64 hexadecimal digits. */
  readonly sha256: string;
}

type Memory = Readonly<Record<string, SeenCatalog>>;

/** What was seen at an address before, or undefined. A memory that cannot be read is an `input` failure: it is what old catalogs are told by. */
export function seenCatalog(host: Host, address: string): SeenCatalog | undefined {
  return readMemory(host)[address];
}

/** Keeps what was seen, durably. */
export function rememberCatalog(host: Host, address: string, seen: SeenCatalog): void {
  const memory = readMemory(host);
  const known = memory[address];
  if (known?.serial === seen.serial && known.sha256 === seen.sha256) return;
  makeFolders(host, folderOf(CATALOG_MEMORY));
  const text = JSON.stringify({ format: 1, seen: { ...memory, [address]: seen } });
  replaceFile(host, CATALOG_MEMORY, `${text}\n`, 0o600); // an address may hold a password
}

/**
 * Throws `verification` for a catalog older than the one seen at that address, and for another one with the same serial. No clock has a part
 * in it: the serial alone decides.
 */
export function refuseOlder(seen: SeenCatalog | undefined, now: SeenCatalog, shown: string): void {
  if (!seen) return;
  const hint = `ask whoever serves it why; if it was begun anew on purpose: rm ${CATALOG_MEMORY}`;
  if (now.serial < seen.serial)
    throw new Failure(
      'verification',
      `${shown}: has serial ${now.serial}, this node has seen ${seen.serial}: it is an old catalog`,
      hint,
    );
  if (now.serial === seen.serial && now.sha256 !== seen.sha256)
    throw new Failure(
      'verification',
      `${shown}: is another catalog than the one this node has seen with the same serial, ${now.serial}`,
      hint,
    );
}

function readMemory(host: Host): Memory {
  const text = host.readText(CATALOG_MEMORY);
  if (text === undefined) return {};
  try {
    const { format, seen } = JSON.parse(text) as { format?: unknown; seen?: unknown };
    if (format === 1 && isMemory(seen)) return seen;
  } catch {
    // Said below.
  }
  throw new Failure(
    'input',
    `${CATALOG_MEMORY}: cannot be read; it says which catalog was the newest`,
    `if the catalog that is served is surely the newest: rm ${CATALOG_MEMORY}`,
  );
}

function isMemory(value: unknown): value is Memory {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(
    (seen: Partial<SeenCatalog> | null) =>
      Number.isSafeInteger(seen?.serial) && /^[0-9a-f]{64}$/.test(String(seen?.sha256)),
  );
}
