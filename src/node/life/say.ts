import { toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { inInitramfs } from '../observe/slot.ts';

/** KERN_ERR: shown on the consoles also when the kernel is told to be quiet; KERN_NOTICE is not. */
const [ERROR, NOTICE] = [3, 5];

/**
 * One line for people. The kernel's log takes it to every console, the serial one too; in the initramfs stage it is the only way, for
 * neither the console nor the journal takes what a command writes there. A line that cannot be said is lost.
 */
export function say(host: Host, line: string): void {
  const text = `sextant: ${line.replace(/\s*\n\s*/g, '; ')}`;
  try {
    host.out(`${text}\n`);
    const level = inInitramfs(host) ? ERROR : NOTICE;
    host.run(['tee', '/dev/kmsg'], { input: `<${level}>${text}`, timeoutSeconds: 5 });
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
