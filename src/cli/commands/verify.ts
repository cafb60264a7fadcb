import { readFile, stat } from 'node:fs/promises';
import { verifyImage } from '../../image/index.ts';
import { readCertificate } from '../../image/signature.ts';
import { isAddress } from '../../release/address.ts';
import { withLocalFile } from '../../release/extension.ts';
import { verifyRelease } from '../../release/verification/release.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';

interface VerifyOptions {
  readonly roothash?: string;
  readonly cert?: readonly string[];
  readonly lock?: string;
  readonly requireValidDates?: boolean;
  readonly json?: boolean;
}

/** Checks a whole release, or one extension; throws `verification` at the first thing that is not as it must be. */
export async function verify(place: string, options: VerifyOptions, context: Context): Promise<void> {
  const folder = !isAddress(place) && (await stat(place)).isDirectory();
  if (folder && options.roothash !== undefined) {
    throw new SextantError('usage', '--roothash is for one .raw file, not for a release', {
      hint: `the root hashes of ${place} are in its release.json`,
    });
  }
  if (!folder && options.lock !== undefined) {
    throw new SextantError('usage', '--lock is for a whole release, not for one file', {
      hint: 'name the folder that holds release.json',
    });
  }
  await (folder ? verifyFolder(place, options, context) : verifyFile(place, options, context));
}

async function verifyFolder(folder: string, options: VerifyOptions, context: Context): Promise<void> {
  const { release, checks, warnings } = await verifyRelease(
    folder,
    {
      ...(options.cert === undefined ? {} : { certificates: options.cert }),
      ...(options.lock === undefined ? {} : { lock: options.lock }),
      ...(options.requireValidDates ? { requireValidDates: true } : {}),
    },
    context,
  );
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ ok: true, folder, name: release.name, version: release.version, checks, warnings })}\n`,
    );
    return;
  }
  const lines = warnings.map((warning) => `warning: ${warning}`);
  lines.push(`${folder}: ${release.name} ${release.version} is as it was released`);
  lines.push(...checks.map((check) => `  ${check}`));
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function verifyFile(file: string, options: VerifyOptions, context: Context): Promise<void> {
  const { cert } = options;
  const certificates = cert === undefined ? undefined : await Promise.all(cert.map(readCertificate));
  const { expected, info, warnings } = await withLocalFile(file, context, async (path) => {
    const wanted = await rootHash(path, options.roothash);
    const verified = await verifyImage(path, {
      ...(wanted === undefined ? {} : { rootHash: wanted.hash }),
      ...(certificates === undefined ? {} : { certificates }),
      ...(options.requireValidDates ? { requireValidDates: true } : {}),
      signal: context.signal,
    });
    return { expected: wanted, ...verified };
  });
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ ok: true, file, rootHashFrom: expected?.from ?? null, warnings, info })}\n`,
    );
    return;
  }
  const lines = warnings.map((warning) => `warning: ${warning}`);
  lines.push(
    `${file}: every byte is as it was written, root hash ${info.rootHash}`,
    expected === undefined
      ? '  nothing says that this is the root hash you want: give --roothash or --cert'
      : `  the root hash is the one in ${expected.from}`,
  );
  if (cert !== undefined) lines.push(`  signed by ${cert.join(' or ')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The root hash asked for: given, or in the .roothash file next to the image. */
async function rootHash(
  path: string,
  given: string | undefined,
): Promise<{ hash: string; from: string } | undefined> {
  if (given !== undefined && /^[0-9a-fA-F]{64}$/.test(given))
    return { hash: given.toLowerCase(), from: '--roothash' };
  const file = given ?? `${path.replace(/\.raw$/, '')}.roothash`;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && given === undefined) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const hash = text.trim().toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw new SextantError('input', `${file}: does not hold a root hash (64 hexadecimal digits)`);
  }
  return { hash, from: file };
}
