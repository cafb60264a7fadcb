import { releaseContents } from '../../release/publish/contents.ts';
import { planRelease } from '../../release/registry/plan.ts';
import { tagOfVersion } from '../../support/registry/blob-address.ts';
import { serveRegistry } from '../registry-server.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const fromRegistry: Scenario = {
  name: 'from-registry',
  sentence:
    'a first boot whose activation names a release in a registry that gives everybody a token, as public ones do: the extension is fetched by its digest, Ready; sextant-node finds the release there',
  async run(stage) {
    const { release, releaseFolder, context } = stage.lab;
    const contents = await releaseContents(releaseFolder, context, { tar: false });
    const tag = tagOfVersion(release.version);
    const registry = await serveRegistry(planRelease(contents, tag), { token: true });
    try {
      const place = `oci+http://${registry.guestHost}/lab/${stage.extensionName}:${tag}`;
      const activation = await stage.activationOf({ folder: releaseFolder, release, rootHash: '' }, place);
      const node = await stage.node({ [ACTIVATION_FILE]: activation });
      await stage.untilReady(node);
      const fetched = registry.requests.filter((request) => request.startsWith('GET /v2/'));
      const blob = `GET /v2/lab/${stage.extensionName}/blobs/sha256:${stage.amd64.sha256}`;
      stage.check(
        'the registry was asked for the extension by its digest, without and then with a token, and for nothing else',
        JSON.stringify(fetched) === JSON.stringify([blob, blob]),
        JSON.stringify(registry.requests),
      );
      await stage.prove(
        'sextant-node knows from the activation where the release is, reads it there, and finds that it runs',
        node,
        `grep -Fx '${place}' /var/lib/kairos/extensions/sextant/${stage.amd64.sha256}/${stage.extensionName}.sysext.url
/usr/lib/sextant/sextant-node adopt
said=$(/usr/lib/sextant/sextant-node upgrade --dry-run 2>&1 || true)
echo "$said"
echo "$said" | grep -F ' is on trial now'`,
      );
      stage.check(
        'it asked the registry for the release',
        registry.requests.some((request) => request.endsWith(`/manifests/${tag}-release`)),
        JSON.stringify(registry.requests),
      );
      await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
    } finally {
      await registry.close();
    }
  },
};
