// What the merge of a later boot waits for: the same node restarted with systemd-sysext.service as it is, without libdevmapper's wait for
// udev, and without the reload of the manager; in turn, medians. Neither is offered to nodes (docs/benchmarks.md says why). About two
// minutes a boot under emulation.
//   node bench/run.mjs bench/merge.ts [ROUNDS]
import { rm } from 'node:fs/promises';
import { closeLab } from '../src/lab/lab.ts';
import { ACTIVATION_FILE, Stage } from '../src/lab/stage.ts';
import { benchLab } from './lab.ts';
import { median } from './median.ts';

const rounds = Number(process.argv[2] ?? 3);
const lab = await benchLab();

/** Lines of a drop-in for the unit. */
const VARIANTS = {
  'as it is': [],
  'no wait for udev (DM_DISABLE_UDEV=1)': ['Environment=DM_DISABLE_UDEV=1'],
  'no reload of the manager (--no-reload)': ['ExecStart=', 'ExecStart=systemd-sysext refresh --no-reload'],
} as const;

/** The cloud-config that brings a variant to the next boot. */
function dropIn(lines: readonly string[]): string {
  const content = ['[Service]', ...lines].map((line) => `        ${line}`).join('\n');
  return `#cloud-config
stages:
  initramfs:
  - name: Sextant bench, the merge in another way
    files:
    - path: /run/systemd/system/systemd-sysext.service.d/00-sextant-bench.conf
      permissions: 0644
      content: |
${content}
`;
}

const stage = new Stage(lab, 'merge');
const seconds = new Map<string, number[]>();
try {
  const server = await stage.serve();
  const node = await stage.node({ [ACTIVATION_FILE]: await stage.activation(server) });
  const merged = `/usr/lib/extension-release.d/extension-release.${stage.extensionName}`;
  await node.run(`until [ -e ${merged} ]; do sleep 1; done; sync`);
  for (let round = 0; round < rounds; round++) {
    const variants = Object.entries(VARIANTS);
    for (const [name, lines] of round % 2 === 0 ? variants : variants.reverse()) {
      const config = Buffer.from(dropIn(lines)).toString('base64');
      await node.run(`echo ${config} | base64 -d >/oem/96_bench.yaml && sync`);
      await node.restart();
      const took = await node.run(`set -e
at() { systemctl show --property="$1" --value systemd-sysext; }
until [ "$(at ExecMainExitTimestampMonotonic)" -gt 0 ]; do sleep 1; done
[ "$(at Result)" = success ]
[ -e ${merged} ]
systemctl show --property=DropInPaths --value systemd-sysext | grep -q 00-sextant-bench
echo $(($(at ExecMainExitTimestampMonotonic) - $(at ExecMainStartTimestampMonotonic)))`);
      const value = Number(took.trim().split('\n').at(-1)) / 1e6;
      stage.say(`${name}: ${value.toFixed(1)} s`);
      seconds.set(name, [...(seconds.get(name) ?? []), value]);
    }
  }
} finally {
  await stage.end(false);
  await closeLab(lab);
}
await rm(lab.folder, { recursive: true, force: true });
console.log(`the merge of a later boot (${lab.accelerator.name}), medians of ${rounds}:`);
for (const [name, values] of seconds) {
  console.log(
    `  ${name}: ${median(values).toFixed(1)} s (${values.map((value) => value.toFixed(1)).join(', ')})`,
  );
}
