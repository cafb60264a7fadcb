// A warm `make quickstart`, beside `sextant verify` of what it built: the part that has to read every byte again.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const seconds = (command: string, args: readonly string[]): number => {
  const began = process.hrtime.bigint();
  const { status, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stderr}`);
  return Number(process.hrtime.bigint() - began) / 1e9;
};

seconds('make', ['quickstart']); // Builds what is not there yet.
const warm = [1, 2, 3].map(() => seconds('make', ['quickstart'])).sort((a, b) => a - b);
const images = readdirSync('dist').filter((name) => name.endsWith('.raw'));
const verify = images.map((name) =>
  seconds(process.execPath, ['build/sextant.js', 'verify', `dist/${name}`]),
);
console.log(
  `warm make quickstart: median ${warm[1]?.toFixed(1)} s of 3; sextant verify of its ${images.length} images: ${verify
    .reduce((sum, value) => sum + value, 0)
    .toFixed(1)} s`,
);
