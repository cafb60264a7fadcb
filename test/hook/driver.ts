// Started by the tests as another user: runs the hook that the JSON file in the first argument describes and prints what came of it.
import { readFileSync } from 'node:fs';
import { runHook } from '../../src/hook/index.ts';
import { toSextantError } from '../../src/support/errors.ts';
import { silent } from '../../src/support/progress.ts';
import type { DriverRequest } from './as-nobody.ts';
import { answersFrom } from './hooks.ts';

const { files, ...request } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as DriverRequest;
const context = { cache: '/', progress: silent, signal: new AbortController().signal };
try {
  const result = await runHook({ ...request, answer: answersFrom(files), context });
  process.stdout.write(JSON.stringify({ result }));
} catch (thrown) {
  const { code, message, hint, details } = toSextantError(thrown);
  process.stdout.write(JSON.stringify({ error: { code, message, hint, details } }));
}
