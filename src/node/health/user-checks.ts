import { type Host, HostError } from '../host/host.ts';

/** Persistent only by the cloud-config: /etc is new at every boot. */
const CHECKS_FOLDER = '/etc/sextant/health.d';
const OUTPUT_SHOWN = 300;

/**
 * Runs the executables in /etc/sextant/health.d in the order of their names, with the generation as SEXTANT_GENERATION. The first that does
 * not end with 0 in time is the problem, with what it said; files that are not executable are no checks.
 */
export function userCheckProblem(host: Host, generation: number, timeoutSeconds: number): string | undefined {
  for (const name of host.list(CHECKS_FOLDER) ?? []) {
    const path = `${CHECKS_FOLDER}/${name}`;
    const facts = host.stat(path);
    if (name.startsWith('.') || facts?.kind !== 'file' || (facts.mode & 0o111) === 0) continue;
    const problem = runCheck(host, path, generation, timeoutSeconds);
    if (problem !== undefined) return `${path} ${problem}`;
  }
  return undefined;
}

function runCheck(host: Host, path: string, generation: number, timeoutSeconds: number): string | undefined {
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/',
    LC_ALL: 'C.UTF-8',
    SEXTANT_GENERATION: String(generation),
  };
  try {
    const result = host.run([path], { env, timeoutSeconds });
    if (result.ended === 'exit' && result.code === 0) return undefined;
    const how = {
      exit: `ended with ${result.code}`,
      signal: `was ended by signal ${result.signal}`,
      timeout: `took longer than ${timeoutSeconds} s`,
      limit: 'wrote more than it may',
    }[result.ended];
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(0, 3).join('; ');
    return said === '' ? how : `${how}: ${said.slice(0, OUTPUT_SHOWN)}`;
  } catch (error) {
    if (error instanceof HostError) return `cannot be started (${error.errno})`;
    throw error;
  }
}
