import type { Command } from '../cli/command.ts';
import { act } from '../effects/actions.ts';
import { carryOut } from '../effects/execute.ts';
import { lostLinks, removeLostLinks } from '../effects/lost-links.ts';
import { publish, tellCluster } from '../events/publish.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { removeUnits, WATCH_UNIT } from '../life/units.ts';
import * as model from '../model/adopt.ts';
import { FOLLOWED, NODE_PROGRAM } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { exclusively, requireRecords } from '../records-file.ts';
import { openSession, requireRoot } from '../session.ts';
import { CLOUD_CONFIG_FILE } from './cloud-config.ts';
import { capital, wrap } from './text.ts';
import { UPGRADE_TIMER } from './upgrade-later.ts';

/** Takes a node back to what it was: no Kubernetes of ours, no record, nothing that decides at a boot. */
export const retire: Command = {
  name: 'retire',
  summary: 'stop Kubernetes and give the node back: no extension of ours, no record',
  words: [],
  options: [{ name: 'yes', summary: 'really' }],
  run({ host, options }) {
    requireRoot(host, 'retire');
    if (!options.has('yes'))
      throw new Failure(
        'usage',
        'retire: stops Kubernetes on this node, takes our extension out of the merge and forgets every generation',
        'if that is what you want: sextant-node retire --yes',
      );
    requireRecords(host); // before anything is stopped
    // Before the lock: the watch may hold it.
    runProgram(host, 'systemctl', ['stop', WATCH_UNIT, UPGRADE_TIMER], {
      okCodes: [0, 5],
      timeoutSeconds: 120,
    });
    const why = exclusively(host, 60, () => {
      const { records, observation } = openSession(host);
      const decision = model.retire(records, observation);
      const lost = lostLinks(host);
      tellCluster(host, decision.records); // while there is a Kubernetes to tell
      carryOut(host, decision, act);
      removeLostLinks(host, lost);
      publish(host, records, decision.records, false);
      removeOwn(host);
      return decision.why;
    });
    host.out(wrap(`${capital(why)}. Restart the node to end what still runs of it.`));
    for (const file of activationFiles(host))
      host.out(wrap(`${file} would install it again at the next boot: remove it, too.`));
    host.out('Data of the cluster and the files in the store stay where they are.\n');
    return 0;
  },
};

/** The cloud-config first: without it nothing starts the program, with it alone nothing is started. */
function removeOwn(host: Host): void {
  if (host.unlink(CLOUD_CONFIG_FILE)) host.sync('/oem');
  host.unlink(NODE_PROGRAM);
  host.unlink(FOLLOWED);
  removeUnits(host);
}

/** Files in /oem that are activations of ours (src/activation): they write that script. */
function activationFiles(host: Host): string[] {
  const files = (host.list('/oem') ?? [])
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => `/oem/${name}`);
  return files.filter((file) => host.readText(file)?.includes('/run/sextant/activate'));
}
