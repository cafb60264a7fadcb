import type { Command } from '../cli/command.ts';
import { act } from '../effects/actions.ts';
import { carryOut } from '../effects/execute.ts';
import { preferencesOrDefaults } from '../events/preferences.ts';
import { publish } from '../events/publish.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { installProgram } from '../life/program.ts';
import { readSettings, trialSettings } from '../life/settings.ts';
import * as model from '../model/adopt.ts';
import type { Effect } from '../model/effects.ts';
import { enabledLinks } from '../model/links.ts';
import { DAMAGED_FILE, DAMAGED_PREVIOUS_FILE, PREVIOUS_FILE, RECORD_FILE } from '../model/paths.ts';
import { observe } from '../observe/observe.ts';
import { bootedSlot } from '../observe/slot.ts';
import { exclusively, readRecords } from '../records-file.ts';
import { accepted, requireRoot } from '../session.ts';
import { findMerged, takeIntoStore } from './adopt-find.ts';
import { installCloudConfig, requirePrograms, startWatch } from './adopt-install.ts';
import { rememberFollowed } from './followed.ts';
import { capital, wrap } from './text.ts';

/** Takes a node over: what runs is the first generation from now on. */
export const adopt: Command = {
  name: 'adopt',
  summary: 'take this node over: what is merged now becomes the first generation',
  words: [],
  options: [
    {
      name: 'name',
      value: 'EXTENSION',
      summary: 'which merged extension; default: the one that sextant built',
    },
    { name: 'anew', summary: 'also where neither copy of the records can be read; both are set aside' },
    { name: 'auto', summary: 'for the extension itself: quietly nothing where there is nothing to do' },
  ],
  run({ host, options }) {
    requireRoot(host, 'adopt');
    const auto = options.has('auto');
    if (auto && isNotWanted(host)) return 0;
    const why = exclusively(host, auto ? 300 : 30, () =>
      takeOver(host, options.get('name'), options.has('anew')),
    );
    host.out(wrap(`${capital(why)}.`));
    startWatch(host);
    return 0;
  },
};

/** There are records, extensions are not used on this boot, or the settings forbid it. */
function isNotWanted(host: Host): boolean {
  const { records, problem } = readRecords(host);
  if ((records !== null && !records.retired) || (problem !== null && problem.code !== 'missing')) return true;
  if (!['active', 'passive'].includes(bootedSlot(host))) return true;
  const { preferences, problem: wrong } = preferencesOrDefaults(host);
  if (wrong !== null) host.err(`WARNING: ${wrong}; the default is used\n`);
  return !preferences.adopt;
}

function takeOver(host: Host, name: string | undefined, anew: boolean): string {
  const { records, problem } = readRecords(host);
  const unreadable = problem !== null && problem.code !== 'missing';
  if (unreadable && !(anew && problem.code !== 'unknown-format'))
    throw new Failure('input', problem.message, problem.hint);
  if (records !== null && !records.retired)
    throw new Failure('refused', 'this node has records already', 'see: sextant-node status');
  requirePrograms(host);
  const merged = findMerged(host, name);
  const file = takeIntoStore(host, merged, (text) => host.err(`${text}\n`));
  const files = [file];
  const observation = observe(host, { records, files, recordFile: 'other' });
  const settings = trialSettings(readSettings(host).settings);
  const decision = accepted(
    model.adopt(records, observation, { files, kubernetes: merged.kubernetes, settings }),
  );
  installProgram(host);
  installCloudConfig(host);
  // The verdict is on what is linked by digest: another link to the same file is made one.
  const effects = [
    ...(unreadable ? setAside(host) : []),
    ...decision.effects,
    ...enabledLinks(files, observation),
  ];
  rememberFollowed(host, file.sha256); // an activation file that names something else by now is a wish
  carryOut(host, { effects }, act);
  publish(host, records, decision.records, true);
  return decision.why;
}

/** The records that cannot be read, kept for whoever can. */
function setAside(host: Host): Effect[] {
  return (
    [
      [RECORD_FILE, DAMAGED_FILE],
      [PREVIOUS_FILE, DAMAGED_PREVIOUS_FILE],
    ] as const
  )
    .filter(([from]) => host.stat(from) !== undefined)
    .map(([from, to]): Effect => ({ do: 'rename', from, to }));
}
