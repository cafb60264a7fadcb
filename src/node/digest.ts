import { Failure } from './failure.ts';
import type { Host } from './host/host.ts';
import { runProgram } from './programs.ts';

/** Slow flash reads some 20 MB a second; an extension has up to a gigabyte. */
const TIME_LIMIT_SECONDS = 600;

/** SHA-256 of a file, lower-case hexadecimal. Throws `tool` as `runProgram` does, also for a file that cannot be read. */
export function sha256OfFile(host: Host, path: string): string {
  const { stdout } = runProgram(host, 'sha256sum', ['--', path], { timeoutSeconds: TIME_LIMIT_SECONDS });
  return digestIn(stdout, path);
}

/** SHA-256 of a text's UTF-8, lower-case hexadecimal. */
export function sha256OfText(host: Host, text: string): string {
  return digestIn(runProgram(host, 'sha256sum', [], { input: text }).stdout, 'standard input');
}

/** sha256sum(1) puts a backslash in front of a line whose file name it had to escape. */
function digestIn(stdout: string, what: string): string {
  const digest = /^\\?([0-9a-f]{64}) /.exec(stdout)?.[1];
  if (digest === undefined) throw new Failure('tool', `sha256sum: no digest of ${what} in what it wrote`);
  return digest;
}
