import type { LabNode } from '../node.ts';
import type { Behaviour, ReleaseServer } from '../release-server.ts';
import { ACTIVATION_FILE, type Stage } from '../stage.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const faultyServer: Scenario = {
  name: 'faulty-server',
  sentence:
    'the server breaks off at 60 %, serves a wrong byte, serves an HTML page with status 200: nothing of it is ever enabled; when it behaves, Ready',
  async run(stage) {
    const server = await stage.serve();
    server.behave({ kind: 'html-page' });
    const node = await stage.node({ [ACTIVATION_FILE]: await stage.activation(server) });
    await node.boot();
    await faultSeen(stage, node, server, 'html-page');
    server.behave({ kind: 'wrong-byte' });
    await faultSeen(stage, node, server, 'wrong-byte');
    server.behave({ kind: 'breaks-off', fraction: 0.6 });
    await faultSeen(stage, node, server, 'breaks-off');
    server.behave({ kind: 'right' });
    await stage.untilReady(node);
    await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
  },
};

/** Waits until the node has met the fault twice, so that it has dealt with the first, and looks at what it did. */
async function faultSeen(
  stage: Stage,
  node: LabNode,
  server: ReleaseServer,
  kind: Exclude<Behaviour['kind'], 'right'>,
): Promise<void> {
  const { size, sha256 } = stage.amd64;
  const said = {
    'html-page': 'a web page; is there a login page between this node and the server?',
    'wrong-byte': `expected ${size} bytes with SHA-256 ${sha256}, got ${size} with `,
    'breaks-off': `of ${size} bytes are here)`,
  }[kind];
  const met = () =>
    server.requests.filter(({ behaviour, path }) => behaviour === kind && path.endsWith('.raw')).length;
  for (let waited = 0; met() < 2 && waited < 600; waited++) await stage.pause(1);
  stage.check(`${kind}: the node met it and tried again`, met() >= 2, `${met()} requests`);
  await stage.prove(
    `${kind}: nothing of it is enabled, linked or merged, and the journal says why`,
    node,
    `[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
[ -z "$(ls /run/extensions 2>/dev/null)" ]
[ -z "$(find /var/lib/kairos/extensions -type l)" ]
[ -z "$(find /var/lib/kairos/extensions -name '*.raw')" ]
journalctl -b -u sextant-activate --no-pager -o cat | grep -F '${server.guestUrl}/release/' | grep -F '${said}' | tail -n 1`,
  );
}
