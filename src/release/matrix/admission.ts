import { SextantError } from '../../support/errors.ts';

/** Lets work in while there is room for it. */
export interface Admission {
  /** Runs `work` when fewer than the allowed number run and its bytes fit beside theirs; what is larger than everything runs alone. */
  run<T>(bytes: number, work: () => Promise<T>): Promise<T>;
}

/** At most `jobs` pieces of work at once, of at most `memory` bytes together; first come first served, so that a large one is not passed by for ever. */
export function admission(limit: { readonly jobs: number; readonly memory: number }): Admission {
  const waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  let running = 0;
  let taken = 0;
  const startNext = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const fits = running < limit.jobs && taken + next.bytes <= limit.memory;
      if (!fits && running > 0) return;
      waiting.shift();
      running += 1;
      taken += next.bytes;
      next.start();
    }
  };
  return {
    async run(bytes, work) {
      await new Promise<void>((start) => {
        waiting.push({ bytes, start });
        startNext();
      });
      try {
        return await work();
      } finally {
        running -= 1;
        taken -= bytes;
        startNext();
      }
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** "4G" -> 4294967296. Throws `usage` naming `option`. */
export function memoryBytes(text: string, option: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * (UNITS[(unit ?? '').toUpperCase()] ?? 1));
  if (digits === undefined || bytes < 1) {
    throw new SextantError('usage', `${option} ${text}: not an amount of memory`, {
      hint: 'write a number of bytes, or one with K, M or G: 4G',
    });
  }
  return bytes;
}
