import { open } from 'node:fs/promises';
import { SextantError } from '../../support/errors.ts';
import { shellText } from '../../support/subprocess.ts';

/** Bytes that a key or a pass phrase may have; what is larger is something else. */
const LARGEST = 1024 * 1024;

/**
 * A file that only its owner may read or write, as ssh(1) demands of its keys. Looked at and read through one handle, so that nothing can
 * be put in its place between the two. Throws `input` when others have rights on it.
 */
export async function readPrivate(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SextantError(
        'input',
        `${path}: others can read or write it (mode ${octal}), it is a secret`,
        {
          hint: `take their rights away, ${shellText('chmod', ['600', path])}, and make a new key if someone may have read it`,
        },
      );
    }
    if (size > LARGEST) throw new SextantError('input', `${path}: too large for a key`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
