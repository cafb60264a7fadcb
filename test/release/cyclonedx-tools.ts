import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder } from '../../src/support/context.ts';

const PROGRAM = `
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding='utf-8').read())
print('' if error is None else error)
`;

/** What CycloneDX' own JSON schema has against a document; nothing for a valid one. `make tools` installs the validator. */
export function cyclonedxProblems(file: string): string {
  const { status, stdout, stderr, error } = spawnSync('python3', ['-W', 'ignore', '-c', PROGRAM, file], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: join(cacheFolder(), 'judges', 'cyclonedx') },
  });
  if (error) throw error;
  return status === 0 ? stdout.trim() : stderr || `exit code ${status}`;
}
