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
  const { written, end } = keepWriting(node);
  for (let tenths = 0; written.length === 0 && tenths < 1200; tenths++) await stage.pause(0.1);
  stage.check(
    `cut ${cut}: the API takes writes`,
    written.length > 0,
    'no write was acknowledged in two minutes',
  );
  const before = (await node.boot()).bootId;
  let refused: string | undefined;
  node
    .try(`${SEXTANT_NODE} upgrade --to ${address}`)
    .then(({ code, output }) => {
      if (code !== 0) refused = output;
    })
    .catch(() => {}); // by its own restart, or by the cut
  await stage.pause(seconds);
  stage.check(`cut ${cut}: the upgrade is not refused`, refused === undefined, refused ?? '');
  const where = (await node.boot()).bootId === before ? 'before the restart' : 'after the restart';
  end();
  await node.stop();
  stage.say(`cut ${cut}: after ${seconds} s, ${where}, ${written.length} writes acknowledged`);
  const after = await stage.bootAgain(node);
  await readyAgain(stage, after);
  await stage.verdict(
    after,
    `cut ${cut}: a good pair is Ready, all ${written.length} acknowledged writes and the pod are there`,
    verdictAfter(written),
  );
  stage.say(`cut ${cut}: ${(await ranGood(after)).trim()}`);
  await after.stop();
}

/** Writes through the node's API until `end`, on each of its boots again; `written` are the names that were acknowledged. */
function keepWriting(node: LabNode): { readonly written: readonly string[]; readonly end: () => void } {
  const written: string[] = [];
  let ended = false;
  const note = (text: string) => {
    for (const [, name = ''] of text.matchAll(/^written (\S+)\n/gm)) written.push(name);
  };
  const write = async () => {
    for (let boot = 1; !ended; boot++) {
      const last = (await node.boot()).bootId;
      // Its end is the boot's.
      await node.try(provingScript(writeScript(`write-${boot}`)), note).catch(() => {});
      if (!ended) await node.bootAfter(last);
    }
  };
  write().catch(() => {}); // The power is cut while it waits for a boot.
  return {
    written,
    end: () => {
      ended = true;
    },
  };
}

/** Writes one object after the other whenever the API answers, and tells of each that was acknowledged. */
function writeScript(prefix: string): string {
  return `until api_credentials; do sleep 2; done
number=0
while :; do
  number=$((number + 1))
  printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${prefix}-%s"}}' $number >/run/sextant-lab/write.json
  if curl -sf -m 20 --cacert /run/sextant-lab/api/ca --cert /run/sextant-lab/api/cert --key /run/sextant-lab/api/key -H 'Content-Type: application/json' --data-binary @/run/sextant-lab/write.json "$(cat /run/sextant-lab/api/server)/api/v1/namespaces/default/configmaps" >/dev/null; then
    echo "written ${prefix}-$number"
  fi
  sleep 1
done`;
}

function verdictAfter(written: readonly string[]): string {
  return `${untilGood()}
node_ready "$(hostname | tr A-Z a-z)"
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
[ "$(api /api/v1/namespaces/default/pods/hello | jq -r .status.phase)" = Succeeded ]
api /api/v1/namespaces/default/configmaps | jq -r '.items[].metadata.name' >/run/sextant-lab/there
printf '%s\\n' ${written.join(' ')} >/run/sextant-lab/acknowledged
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
