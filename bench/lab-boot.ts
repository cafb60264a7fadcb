// A later boot of core image and extension, beside a standard image with the same Kubernetes: power-on to node Ready and memory in use
// there, pairs in turn, medians; and the first boot, which downloads. Takes about three minutes a boot under emulation.
//   node bench/run.mjs bench/lab-boot.ts [PAIRS]
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { standardDisk } from '../src/lab/core/standard.ts';
import { closeLab } from '../src/lab/lab.ts';
import type { LabNode } from '../src/lab/node.ts';
import { STANDARD_CONFIG } from '../src/lab/scenarios/standard-image.ts';
import { ACTIVATION_FILE, Stage } from '../src/lab/stage.ts';
import { STEPS, type StepName } from '../src/lab/watch.ts';
import { benchLab } from './lab.ts';
import { median } from './median.ts';

const pairs = Number(process.argv[2] ?? 5);
const lab = await benchLab();
const standardBase = await standardDisk(lab.release, lab.releaseFolder, lab.context);

interface Boot {
  readonly steps: ReadonlyMap<StepName, number>;
  /** MiB. */
  readonly memory: number;
  /** Seconds of units and of the merge, as systemd has them. */
  readonly merge: number;
}

async function measured(node: LabNode, stage: Stage, standard: boolean): Promise<Boot> {
  const steps = await stage.untilReady(node, { standard });
  const memory = await node.run(`awk '/MemTotal|MemAvailable/ {print $2}' /proc/meminfo`);
  const [total = 0, available = 0] = memory.trim().split('\n').map(Number);
  const merge = await node.run(
    `at() { systemctl show --property="$1" --value systemd-sysext; }; echo $(($(at ExecMainExitTimestampMonotonic) - $(at InactiveExitTimestampMonotonic)))`,
  );
  return { steps, memory: (total - available) / 1024, merge: Number(merge) / 1e6 };
}

const server = await new Stage(lab, 'server').serve();
const kinds = [
  {
    name: 'core + extension',
    standard: false,
    base: lab.base,
    oem: { [ACTIVATION_FILE]: await new Stage(lab, 'a').activation(server) },
  },
  { name: 'standard image', standard: true, base: standardBase, oem: { '90_config.yaml': STANDARD_CONFIG } },
];
const prepared: { kind: (typeof kinds)[number]; first: Boot; disk: string }[] = [];
for (const kind of kinds) {
  const stage = new Stage(lab, kind.standard ? 'first-standard' : 'first-core');
  const node = await stage.node(kind.oem, { base: kind.base });
  const first = await measured(node, stage, kind.standard);
  await node.powerOff();
  prepared.push({ kind, first, disk: resolve(node.folder, 'disk.qcow2') });
}
const later = new Map<string, Boot[]>(kinds.map(({ name }) => [name, []]));
for (let pair = 1; pair <= pairs; pair++) {
  const order = pair % 2 === 0 ? [...prepared].reverse() : prepared;
  for (const { kind, disk } of order) {
    const stage = new Stage(lab, `later-${pair}-${kind.standard ? 'standard' : 'core'}`);
    const node = await stage.nodeFrom(disk);
    later.get(kind.name)?.push(await measured(node, stage, kind.standard));
    await stage.end(false);
  }
}
await server.close();
await closeLab(lab);
await rm(lab.folder, { recursive: true, force: true });

const ready = (boot: Boot) => boot.steps.get('node Ready') ?? Number.NaN;
const [core = [], standard = []] = kinds.map(({ name }) => later.get(name) ?? []);
console.log(`guests: ${lab.accelerator.name}, 2 processors, 4096 MiB; ${pairs} pairs of later boots`);
for (const step of STEPS) {
  const of = (boots: readonly Boot[]) => boots.flatMap(({ steps }) => steps.get(step) ?? []);
  const text = (boots: readonly Boot[]) =>
    of(boots).length === 0 ? '-' : `${median(of(boots)).toFixed(1)} s`;
  console.log(`  ${step}: ${text(core)} core + extension, ${text(standard)} standard image`);
}
const ratios = core.map((boot, at) => ready(boot) / ready(standard[at] as Boot));
console.log(
  `power-on to Ready: ratio ${median(ratios).toFixed(3)} (median of the pairs: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}; aim 1.05)`,
);
console.log(`merge at boot: ${median(core.map(({ merge }) => merge)).toFixed(1)} s`);
const memories = [core, standard].map((boots) => median(boots.map(({ memory }) => memory)));
console.log(
  `memory in use at Ready: ${memories.map((value) => value.toFixed(0)).join(' and ')} MiB, ratio ${((memories[0] ?? 0) / (memories[1] ?? 1)).toFixed(3)}`,
);
for (const { kind, first } of prepared) {
  console.log(
    `first boot, ${kind.name}: ${[...first.steps].map(([step, at]) => `${step} ${at.toFixed(0)} s`).join(', ')}`,
  );
}
