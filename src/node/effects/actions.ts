import type { Host } from '../host/host.ts';
import type { Action } from '../model/effects.ts';
import { bootSlotOnce, clearBootAssessment } from './boot-loader.ts';
import { startKubernetes, stopKubernetes } from './kubernetes-units.ts';
import { remerge, startAfterMerge, unlinkOurs } from './merge.ts';
import { reboot } from './reboot.ts';
import { restoreSnapshot } from './snapshot.ts';

/** Carries out an action on a node. Throws a `Failure`; every action may be repeated after that, or after a crash in the middle. */
export function act(host: Host, action: Action): void {
  switch (action.name) {
    case 'reboot':
      reboot(host);
      return;
    case 'boot-other-slot':
      bootSlotOnce(host, action.slot);
      reboot(host);
      return;
    case 'clear-boot-assessment':
      clearBootAssessment(host);
      return;
    case 'restore-snapshot':
      restoreSnapshot(host, action.snapshot);
      return;
    case 'switch-live': {
      const stopped = stopKubernetes(host);
      remerge(host);
      startAfterMerge(host);
      startKubernetes(host, stopped);
      return;
    }
    case 'stop':
      stopKubernetes(host);
      unlinkOurs(host);
      remerge(host);
      return;
  }
}
