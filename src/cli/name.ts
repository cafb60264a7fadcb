import { relative } from 'node:path';

/** How this program was called, so that the commands it suggests can be pasted: `sextant`, or `node build/sextant.js`. */
export function commandName(): string {
  const script = process.argv[1];
  if (script === undefined || !script.endsWith('/build/sextant.js')) return 'sextant';
  return `node ${relative(process.cwd(), script)}`;
}
