import type { ReleasedImage } from '../../release/types.ts';
import type { LabNode } from '../node.ts';
import type { Stage } from '../stage.ts';
import type { BuiltRelease } from '../variant.ts';

/** A pod of the image that the extension carries along; the program prints its arguments and ends. */
const podText = (name: string) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  restartPolicy: Never
  containers:
  - name: ${name}
    image: docker.io/k3s-standin/pause:1
    imagePullPolicy: Never
    args: [hello from a pod]
`;

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Runs a pod to completion through the node's own API, unless it has run, and leaves a ConfigMap to find again. */
export async function runPod(stage: Stage, node: LabNode, name = 'hello'): Promise<void> {
  await stage.prove(
    'a pod from an image carried along runs to completion',
    node,
    `echo ${base64(podText(name))} | base64 -d >/run/sextant-lab/pod.yaml
until api /api/v1/namespaces/default/serviceaccounts/default >/dev/null; do sleep 1; done
k3s kubectl apply -f /run/sextant-lab/pod.yaml
k3s kubectl get configmap kept || k3s kubectl create configmap kept --from-literal=by=the-lab
tries=0
until [ "$(api /api/v1/namespaces/default/pods/${name} | jq -r .status.phase)" = Succeeded ]; do
  tries=$((tries + 1)); [ $tries -lt 180 ]
  sleep 1
done
[ "$(k3s kubectl logs ${name})" = 'hello from a pod' ]`,
  );
}

/** The checks that every node which is up must pass: merged, dm-verity in use for this release, Ready by its own kubelet. */
export function readyChecks(stage: Stage): string {
  const name = stage.extensionName;
  const rootHash =
    stage.lab.release.images.find(({ architecture }) => architecture === 'amd64')?.rootHash ?? '';
  return `[ -e /usr/lib/extension-release.d/extension-release.${name} ]
dmsetup table --target verity | grep -F ' ${rootHash} '
node_ready "$(hostname | tr A-Z a-z)"`;
}

/** The founding document's three checks, in a login shell as a person has it. */
export const THREE_CHECKS = `su - root -c 'systemd-sysext status | grep provider-kairos'
k3s --version | grep '^k3s version v'
k3s kubectl get nodes | grep -E '^'"$(hostname | tr A-Z a-z)"' +Ready '`;

/** A script in which a change makes systemd refuse the merge, of this very merge and not of one before it. */
export function refused(stage: Stage, change: string): string {
  return `${change}
cursor=$(journalctl -b -n 0 --show-cursor --no-pager | sed -n 's/^-- cursor: //p')
systemctl restart systemd-sysext && exit 1
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
journalctl -b -u systemd-sysext --after-cursor="$cursor" --no-pager -o cat | grep -iE 'policy|signature|required key'`;
}

/** Shell lines that wait until the activation has merged what it brings, and fail when it is refused. */
export const UNTIL_ACTIVATED = `state=
until [ "$state" = ready ]; do
  sleep 1
  state=$(cat /run/sextant/state 2>/dev/null || true)
  case $state in refused*) echo "$state"; exit 1 ;; esac
done`;

/** Shell lines that fetch a release's extension from where its folder is served, as `name`, and link it in the place of the one that is. */
export function linkInstead(
  { extensionName }: Stage,
  name: string,
  url: string,
  { file, sha256 }: Pick<ReleasedImage, 'file' | 'sha256'>,
): string {
  return `curl -sf -o /run/sextant-lab/${name}.raw '${url}/${encodeURIComponent(file)}'
[ "$(sha256sum </run/sextant-lab/${name}.raw)" = '${sha256}  -' ]
ln -sfn /run/sextant-lab/${name}.raw /run/extensions/${extensionName}.sysext.raw`;
}

/** The one image that a variant of the lab's release has. */
export function imageOf({ folder, release }: BuiltRelease): ReleasedImage {
  const [image] = release.images;
  if (image === undefined) throw new Error(`the release in ${folder} has no image`);
  return image;
}
