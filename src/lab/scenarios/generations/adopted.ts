import type { LabNode } from '../../node.ts';
import type { ReleaseServer } from '../../release-server.ts';
import { preparation, type Stage } from '../../stage.ts';
import { runPod } from '../common.ts';

/** sextant-node as a person calls it. */
export const SEXTANT_NODE = '/opt/sextant/bin/sextant-node';

/** Trials as short as an emulated machine allows: Kubernetes takes up to three minutes from the merge to Ready on a busy one. */
export const SETTINGS: Settings = { tries: 2, patienceSeconds: 420, settleSeconds: 10, watchdogSeconds: 60 };

/** Numbers of the generations that follow the first: each that becomes good takes one of the counter as well. */
export const [SECOND, THIRD, FOURTH] = [3, 5, 7];

export interface Settings {
  readonly tries: number;
  readonly patienceSeconds: number;
  readonly settleSeconds: number;
  readonly watchdogSeconds: number;
  readonly adopt?: boolean;
}

/** File in /oem that brings the settings to every boot. */
export const SETTINGS_FILE = '93_sextant-settings.yaml';

/** The cloud-config of a node's settings, as docs/generations.md shows it. */
export function settingsConfig(settings: Partial<Settings> = {}): string {
  return `#cloud-config
stages:
  initramfs:
    - files:
        - path: /etc/sextant/settings.json
          permissions: 0644
          content: '${JSON.stringify({ ...SETTINGS, ...settings })}'
`;
}

/** Gives the node these settings from its next boot on. */
export async function setSettings(node: LabNode, settings: Partial<Settings>): Promise<void> {
  const config = Buffer.from(settingsConfig(settings)).toString('base64');
  await node.run(`echo ${config} | base64 -d >/oem/${SETTINGS_FILE} && sync`);
}

/**
 * A node that was taken over by sextant-node, whose first pair is good, and on which a pod has run: resumed with its memory. Its release
 * server is `server`.
 */
export async function adoptedNode(stage: Stage): Promise<{ node: LabNode; server: ReleaseServer }> {
  const { lab } = stage;
  lab.adopted ??= preparation(lab, 'adopted-node', async (own) => {
    const { node, server } = await own.readyNode();
    await runPod(own, node);
    await adopt(own, node);
    return own.save(node, server, 'adopted');
  });
  const { disk, server } = await lab.adopted;
  return { node: await stage.resume(disk), server };
}

/** Takes a Ready node over and waits until its pair is good. */
async function adopt(stage: Stage, node: LabNode): Promise<void> {
  await setSettings(node, {});
  await stage.prove(
    'sextant-node takes the node over; its pair becomes good',
    node,
    `mkdir -p /etc/sextant
echo '${JSON.stringify(SETTINGS)}' >/etc/sextant/settings.json
/usr/lib/sextant/sextant-node adopt
[ -s /oem/95_sextant-node.yaml ]
${untilGood(1)}`,
  );
}

/** Shell lines that wait until the pair that runs is good, and is this generation. */
export function untilGood(generation?: number): string {
  const which = generation === undefined ? '' : `\n[ "$(sextant_says .running.id)" = ${generation} ]`;
  return `${SEXTANT_SAYS}
tries=0
until [ "$(sextant_says .running.state)" = good ]; do
  tries=$((tries + 1)); [ $tries -lt 240 ]
  sleep 2
done${which}`;
}

/** Shell function: what \`status --json\` says, by a filter of jq. */
export const SEXTANT_SAYS = `sextant_says() { ${SEXTANT_NODE} status --json | jq -r "$1"; }`;
