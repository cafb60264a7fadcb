import { shownAddress } from '../download/shown-address.ts';
import { megabytes } from '../files.ts';
import { minorText } from '../kubernetes/rules.ts';
import type { Settings } from '../model/types.ts';
import { title } from '../model/words.ts';
import { capital, printable, wrap } from './text.ts';
import type { UpgradePlan } from './upgrade-plan.ts';

export type How = 'reboot' | 'live';

/** What an upgrade will do and what it costs, said before any of it is done. */
export function planText(plan: UpgradePlan, how: How, { tries, patienceSeconds }: Settings): string {
  const { from, release, image, place, snapshot, crosses } = plan;
  const end = how === 'reboot' ? 'the node restarts' : 'the extension is exchanged live';
  const steps = [
    `the extension is fetched and verified before anything changes (${megabytes(image.size)})`,
    ...(snapshot === null
      ? []
      : [
          `Kubernetes stops while its datastore is copied (${megabytes(snapshot)}); pods go on, the API does not answer meanwhile`,
        ]),
    `${end}, and Kubernetes ${release.version} is on trial: ${tries} ${tries === 1 ? 'try' : 'tries'} of at most ${Math.ceil(patienceSeconds / 60)} min`,
    ...(returnsByItself(plan)
      ? [`when it does not become healthy, the node goes back to ${title(from)} by itself`]
      : []),
  ];
  return [
    wrap(printable(`${capital(title(from))} is what this follows.`)),
    wrap(printable(`Kubernetes ${release.version} from ${shownAddress(place.release)}:`)),
    ...steps.map((step) => wrap(printable(`  - ${step}`), '    ')),
    ...(crosses ? crossingText(plan) : []),
  ].join('');
}

/** Not across a datastore change that nobody can take back. */
function returnsByItself({ crosses, datastore }: UpgradePlan): boolean {
  return !crosses || (datastore !== 'several' && datastore !== 'external');
}

/** Invariant I5, said beforehand. */
function crossingText({ release, datastore }: UpgradePlan): string[] {
  const begins = `${minorText(release.version)} is another minor version and may change the datastore.`;
  switch (datastore) {
    case 'single':
      return [
        wrap(
          `NOTE: ${begins} Going back puts the snapshot back: everything written to the cluster during the trial is lost then.`,
          '      ',
        ),
      ];
    case 'several':
    case 'external': {
      const whose = datastore === 'several' ? 'several servers share it' : 'it is not on this node';
      return [
        wrap(
          `NOTE: ${begins} No snapshot is taken, because ${whose}; the node does not go back by itself, and a trial that fails ends in a report. Back up the datastore first.`,
          '      ',
        ),
      ];
    }
    default:
      return [];
  }
}
