import type { Enablement } from './plan.ts';

/** One unit that the extension itself enables, and by what. */
export interface Enabled {
  readonly by: string;
  readonly unit: string;
}

/**
 * The drop-in that stands for an enablement link. After a merge a new Wants= of a target that is already queued or active starts
 * nothing, Upholds= does; it also keeps the dependency when the target starts later. A service that ends by itself must not be
 * upheld (it would be started again for ever): it keeps Wants=, and the activation starts it once.
 */
export function enablementText(enablement: Enablement, endsByItself: boolean): string {
  const { unit, strength, from } = enablement;
  const settings = [
    ...(strength === 'requires' ? [`Requires=${unit}`] : []),
    ...(endsByItself ? (strength === 'requires' ? [] : [`Wants=${unit}`]) : [`Upholds=${unit}`]),
  ];
  return `# Stands for the link ${from}. Written by sextant.\n[Unit]\n${settings.join('\n')}\n`;
}
