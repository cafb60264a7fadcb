import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder } from '../../src/support/context.ts';

/** What spdx-tools has against a document; nothing for a valid one. `make tools` installs it (tools/judges-python.sh). */
export function spdxProblems(file: string): string {
  const { status, stdout, stderr, error } = spawnSync(
    'python3',
    ['-W', 'ignore', '-m', 'spdx_tools.spdx.clitools.pyspdxtools', '--infile', file, '--version', 'SPDX-2.3'],
    {
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: join(cacheFolder(), 'judges', 'spdx-tools') },
    },
  );
  if (error) throw error;
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`;
}
