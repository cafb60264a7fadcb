import { toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { inInitramfs } from '../observe/slot.ts';

/** KERN_ERR: shown on the console also when the kernel is told to be quiet. */
const LEVEL = 3;

/**
 * One line for people. In the initramfs stage neither the console nor the journal takes what a command writes; the kernel's log does, and
 * shows it on the console. A line that cannot be said is lost.
 */
export function say(host: Host, line: string): void {
  const text = `sextant: ${line.replace(/\s*\n\s*/g, '; ')}`;
  try {
    host.out(`${text}\n`);
    if (inInitramfs(host)) host.run(['tee', '/dev/kmsg'], { input: `<${LEVEL}>${text}`, timeoutSeconds: 5 });
  } catch {
    // Nobody listens.
  }
}

/** Calls `work`; what fails in it is said as a warning, and the result is undefined. */
export function attempt<T>(host: Host, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    say(host, `WARNING: ${toFailure(error).message}`);
    return undefined;
  }
}
