// Cold reads of the largest file of the extension inside a guest: dm-verity on against off, the release's compression against none.
// The guest's page cache is dropped before each read; its disk is in the host's page cache, so this is what decoding and hashing cost.
//   node bench/run.mjs bench/lab-read.ts [ROUNDS]
import { rm } from 'node:fs/promises';
import { closeLab } from '../src/lab/lab.ts';
import { Stage } from '../src/lab/stage.ts';
import { variantRelease } from '../src/lab/variant.ts';
import type { Release } from '../src/release/types.ts';
import { benchLab } from './lab.ts';
import { median } from './median.ts';

const rounds = Number(process.argv[2] ?? 5);
const lab = await benchLab();
const plain = await variantRelease(lab, 'none', (text) => `${text}\nimage: { compression: none }\n`);

const stage = new Stage(lab, 'reads');
const server = await stage.serve({ plain: plain.folder });
const node = await stage.node({});
const images = {
  [`as released (${lab.release.images[0]?.file})`]: `release/${stage.amd64.file}`,
  'not compressed': `plain/${plain.release.images[0]?.file}`,
};
const made = [stage.amd64, plain.release.images[0] as Release['images'][number]];
const seconds = new Map<string, number[]>();
try {
  await node.run(`until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done; mkdir -p /usr/local/bench /run/bench
until curl -sf -o /dev/null ${server.guestUrl}/release/SHA256SUMS; do sleep 1; done`);
  for (const [at, path] of Object.values(images).entries()) {
    const name = `/usr/local/bench/image${at}`;
    const address = `${server.guestUrl}/${path.split('/').map(encodeURIComponent).join('/')}`;
    await node.run(`curl -sf -o ${name}.raw '${address}'; sync`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [at, label] of Object.keys(images).entries()) {
      for (const verity of round % 2 === 0 ? ['on', 'off'] : ['off', 'on']) {
        const image = made[at] as Release['images'][number];
        const part = (designator: string) => {
          const found = image.partitions.find((one) => one.designator === designator);
          if (found === undefined) throw new Error(`${image.file}: no partition ${designator}`);
          return `losetup --find --show --read-only --offset ${found.offset} --sizelimit ${found.size} /usr/local/bench/image${at}.raw`;
        };
        const output = await node.run(`set -e
device=$(${part('root')})
data=$device
if [ ${verity} = on ]; then
  hashes=$(${part('root-verity')})
  veritysetup open "$device" bench "$hashes" ${image.rootHash}
  data=/dev/mapper/bench
fi
mount -t erofs -o ro $data /run/bench
sync; echo 3 >/proc/sys/vm/drop_caches
began=$(date +%s%N); cat /run/bench/usr/bin/k3s >/dev/null; ended=$(date +%s%N)
umount /run/bench
[ ${verity} = off ] || { veritysetup close bench; losetup -d $hashes; }
losetup -d $device
echo $(( (ended - began) / 1000000 ))`);
        const key = `${label}, verity ${verity}`;
        seconds.set(key, [...(seconds.get(key) ?? []), Number(output.trim().split('\n').at(-1)) / 1000]);
      }
    }
  }
} finally {
  await stage.end(false);
  await closeLab(lab);
}
await rm(lab.folder, { recursive: true, force: true });
console.log(`cold read of /usr/bin/k3s in a guest (${lab.accelerator.name}), medians of ${rounds}:`);
for (const [key, values] of seconds) console.log(`  ${key}: ${median(values).toFixed(2)} s`);
