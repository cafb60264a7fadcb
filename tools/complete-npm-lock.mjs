// Writes into package-lock.json the optional packages of other platforms that npm leaves out where its registry does not carry them:
// `npm ci` refuses a lock that lacks one. What they are for is in their names; they have no digest, because they have not been seen.
//   node tools/complete-npm-lock.mjs     after `npm install PACKAGE` changed the lock
import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const { packages } = lock;
for (const [at, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const place = `node_modules/${name}`;
    if (place in packages || `${at}/${place}` in packages) continue;
    const words = name.replace(/^.*\//, '').split('-');
    const begin = words.findIndex((word) => SYSTEMS.includes(word));
    const [os, cpu, abi] = words.slice(begin);
    if (begin < 0 || cpu === undefined || !/^\d/.test(version)) {
      throw new Error(`${at}: cannot tell the platform of ${name} ${version}; add it by hand`);
    }
    const libc =
      os === 'linux' && abi !== undefined ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {};
    packages[place] = { version, cpu: [cpu], ...(dev ? { dev } : {}), ...libc, optional: true, os: [os] };
    console.log(`${name} ${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
