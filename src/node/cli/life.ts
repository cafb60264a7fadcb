import { boot } from '../life/boot.ts';
import { shutdown } from '../life/shutdown.ts';
import { watch } from '../life/watch.ts';
import type { Command } from './command.ts';

/** The three that the node itself runs; a person has no need to. */
export const BOOT: Command = {
  name: 'boot',
  summary: 'decide what this boot runs, before the merge (run by the initramfs stage)',
  words: [],
  options: [],
  run({ host }) {
    boot(host);
    return 0;
  },
};

export const WATCH: Command = {
  name: 'watch',
  summary: 'watch Kubernetes until its verdict (run by sextant-watch.service)',
  words: [],
  options: [],
  run({ host }) {
    watch(host);
    return 0;
  },
};

export const SHUTDOWN: Command = {
  name: 'shutdown',
  summary: 'give the try of this boot back (run when the machine shuts down)',
  words: [],
  options: [],
  run({ host }) {
    shutdown(host);
    return 0;
  },
};
