import { releaseContents } from '../../release/publish/contents.ts';
import { planRelease } from '../../release/registry/plan.ts';
import { tagOfVersion } from '../../support/registry/blob-address.ts';
import { serveRegistry } from '../registry-server.ts';
import { SEXTANT_SAYS } from './generations/adopted.ts';
import type { Scenario } from './types.ts';

export const ociInstall: Scenario = {
  name: 'oci-install',
  sentence:
    "a core node without an activation: the real `kairos-agent sysext install oci:` takes the release's tar form from a registry, whole and for its own architecture; enabled, systemd merges it and its programs run, unpinned; `sextant-node adopt` takes it over, and the next boot reads it through dm-verity (no Kubernetes is started)",
  async run(stage) {
    const { release, releaseFolder, context } = stage.lab;
    const contents = await releaseContents(releaseFolder, context, { tar: true });
    const tag = tagOfVersion(release.version);
    const registry = await serveRegistry(planRelease(contents, tag));
    try {
      const node = await stage.node({});
      await stage.prove(
        'the node has started, without an extension, and reaches the registry',
        node,
        `until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done
[ -z "$(ls /run/extensions 2>/dev/null)" ]
until curl -sf http://${registry.guestHost}/v2/ >/dev/null; do sleep 1; done`,
      );
      await stage.prove(
        'kairos-agent installs it under the name that systemd wants, every byte as it was built',
        node,
        `mkdir -p /var/lib/kairos/extensions
kairos-agent sysext install oci:${registry.guestHost}/lab/${stage.extensionName}:${tag}-tar
[ "$(sha256sum </var/lib/kairos/extensions/${stage.extensionName}.sysext.raw)" = "${stage.amd64.sha256}  -" ]`,
      );
      stage.check(
        "the registry was asked for this architecture's layer and for no other",
        registry.requests.filter((request) => /^GET .*\/blobs\//.test(request)).length === 1,
        JSON.stringify(registry.requests),
      );
      await stage.prove(
        'enabled by kairos-agent, systemd has merged it and its programs run',
        node,
        `kairos-agent sysext enable --active --now ${stage.extensionName}
. /etc/profile.d/systemd-sysext.sh
until systemd-sysext status | grep ${stage.extensionName}; do sleep 1; done
[ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
k3s --version | grep '^k3s version v'`,
      );
      await stage.prove(
        'enabled by hand, it is taken over: the same bytes under their digest, linked for the next boot',
        node,
        `/usr/lib/sextant/sextant-node adopt
link=/var/lib/kairos/extensions/active/${stage.extensionName}.sysext.raw
[ "$(readlink $link)" = ../sextant/${stage.amd64.sha256}/${stage.extensionName}.sysext.raw ]
[ "$(sha256sum <$link)" = "${stage.amd64.sha256}  -" ]`,
      );
      await node.restart();
      await stage.verdict(
        node,
        'after a restart sextant-node has decided: the first generation runs, every byte through dm-verity',
        `until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done
[ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
dmsetup table --target verity | grep -F ' ${stage.amd64.rootHash} '
${SEXTANT_SAYS}
[ "$(sextant_says '.running | "\\(.id) \\(.kubernetes)"')" = '1 ${release.version}' ]`,
      );
    } finally {
      await registry.close();
    }
  },
};
