import { readFile } from 'node:fs/promises';
import { verifyImage } from '../../image/index.ts';
import { withLocalFile } from '../../release/extension.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';

interface VerifyOptions {
  readonly roothash?: string;
  readonly cert?: string;
  readonly requireValidDates?: boolean;
  readonly json?: boolean;
}

/** Hashes everything in an extension again; throws `verification` at the first thing that is not as it must be. */
export async function verify(file: string, options: VerifyOptions, context: Context): Promise<void> {
  const { expected, info, warnings } = await withLocalFile(file, context, async (path) => {
    const wanted = await rootHash(path, options.roothash);
    const verified = await verifyImage(path, {
      ...(wanted === undefined ? {} : { rootHash: wanted.hash }),
      ...(options.cert === undefined ? {} : { certificate: options.cert }),
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
  if (options.cert !== undefined) lines.push(`  signed by ${options.cert}`);
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
