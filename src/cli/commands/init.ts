import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { packageFolder } from '../../support/package.ts';
import { commandName } from '../name.ts';

const TEMPLATES = { k3s: 'k3s-single.yaml', k0s: 'k0s.yaml' } as const;

/** Writes the example recipe of a distribution; an existing file is kept unless `force`. */
export async function init(
  file: string,
  options: { distribution: keyof typeof TEMPLATES; force?: boolean },
): Promise<void> {
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (there && !options.force) {
    throw new SextantError('input', `${file}: is there already`, {
      hint: 'give another name, or --force to replace it',
    });
  }
  const text = await readFile(join(packageFolder(), 'examples', TEMPLATES[options.distribution]), 'utf8');
  await writeFile(file, text);
  const recipe = file === 'sextant.yaml' ? '' : ` --recipe ${file}`;
  process.stdout.write(`wrote ${file}\nnext: ${commandName()} build${recipe}\n`);
}
