import type { LabNode } from '../../node.ts';
import { provingScript } from '../../proving.ts';
import { randomFrom } from '../../random.ts';
import type { Stage } from '../../stage.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain, servedRelease } from './trial.ts';

/** From the command to a good pair an upgrade takes some five minutes emulated, one under KVM; moments are drawn from that time. */
const SECONDS = { tcg: 300, kvm: 75 } as const;

export const powerCut: Scenario = {
  name: 'power-cut',
  sentence:
    'the power fails (QEMU is killed) at random moments of an extension upgrade: each time a good pair is Ready afterwards, with every write that the API had acknowledged',
  async run(stage) {
    const { lab } = stage;
    const address = await servedRelease(stage, await nextRelease(stage));
    stage.say(`seed ${lab.seed}, ${lab.cuts} ${lab.cuts === 1 ? 'cut' : 'cuts'}`);
    const moments = momentsFrom(lab.seed, lab.cuts, SECONDS[lab.accelerator.name]);
    for (const [index, seconds] of moments.entries()) await cutAt(stage, address, index + 1, seconds);
  },
};

async function cutAt(stage: Stage, address: string, cut: number, seconds: number): Promise<void> {
  const { node } = await adoptedNode(stage);
  let written = 0;
  const writing = node.try(provingScript(WRITE), (text) => {
    for (const match of text.matchAll(/^written (\d+)$/gm)) written = Number(match[1]);
  });
  writing.catch(() => {});
  for (let tenths = 0; written === 0 && tenths < 1200; tenths++) await stage.pause(0.1);
  stage.check(`cut ${cut}: the API takes writes`, written > 0, 'no write was acknowledged in two minutes');
  node.try(`${SEXTANT_NODE} upgrade --to ${address}`).catch(() => {});
  await stage.pause(seconds);
  await node.stop();
  stage.say(`cut ${cut}: after ${seconds} s, ${written} writes acknowledged`);
  const after = await stage.bootAgain(node);
  await readyAgain(stage, after);
  await stage.verdict(
    after,
    `cut ${cut}: a good pair is Ready, all ${written} acknowledged writes and the pod are there`,
    verdictAfter(written),
  );
  stage.say(`cut ${cut}: ${(await ranGood(after)).trim()}`);
  await after.stop();
}

/** Writes one object after the other for as long as the API answers, and tells of each that was acknowledged. */
const WRITE = `api_credentials
name=0
while :; do
  name=$((name + 1))
  printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"write-%s"}}' $name >/run/sextant-lab/write.json
  curl -sf -m 20 --cacert /run/sextant-lab/api/ca --cert /run/sextant-lab/api/cert --key /run/sextant-lab/api/key -H 'Content-Type: application/json' --data-binary @/run/sextant-lab/write.json "$(cat /run/sextant-lab/api/server)/api/v1/namespaces/default/configmaps" >/dev/null
  echo "written $name"
  sleep 0.5
done`;

function verdictAfter(written: number): string {
  return `${untilGood()}
node_ready "$(hostname | tr A-Z a-z)"
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
[ "$(api /api/v1/namespaces/default/pods/hello | jq -r .status.phase)" = Succeeded ]
api /api/v1/namespaces/default/configmaps | jq -r '.items[].metadata.name' | sed -n 's/^write-//p' | sort -n >/run/sextant-lab/there
seq 1 ${written} >/run/sextant-lab/acknowledged
[ -z "$(grep -vxFf /run/sextant-lab/there /run/sextant-lab/acknowledged)" ]`;
}

function ranGood(node: LabNode): Promise<string> {
  return node.run(`${SEXTANT_SAYS}
sextant_says '.running | "generation \\(.id), Kubernetes \\(.kubernetes), \\(.state)"'`);
}

/** Moments of power cuts in seconds, from the seed alone. */
export function momentsFrom(seed: number, count: number, seconds: number): readonly number[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => Math.round(random() * seconds * 10) / 10);
}
