// What the scripts want to know of a report of `sextant release --json`, one answer a line; columns by tabs.
//   ids REPORT              id, folder
//   pairs BEFORE AFTER      id, architecture, image before, image after: of releases that both reports have
//   unlisted REPORT CATALOG  places of releases that are published and not in the catalog's file
//   registry REPORT         oci://REPOSITORY:TAG of what `sextant publish oci://... --json` wrote: the release, all architectures
//   login TARGET FILE       FILE as docker's config.json, with REGISTRY_USER and REGISTRY_PASSWORD for the registry of TARGET besides
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [command, ...files] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const there = (file) =>
  read(file).releases.filter(
    ({ state, folder }) => folder !== null && (state === 'built' || state === 'present'),
  );
const lines = [];
if (command === 'ids') for (const { id, folder } of there(files[0])) lines.push(`${id}\t${folder}`);
else if (command === 'unlisted') {
  const listed = existsSync(files[1]) ? read(files[1]).releases : [];
  for (const { state, distribution, version, note } of read(files[0]).releases) {
    if (state !== 'published') continue;
    if (!listed.some((each) => each.version === version && each.distribution === distribution))
      lines.push(note);
  }
} else if (command === 'pairs') {
  const before = new Map(there(files[0]).map((each) => [each.id, each]));
  for (const { id, folder, release } of there(files[1])) {
    const old = before.get(id);
    for (const { architecture, file } of release.images) {
      const image = old?.release.images.find((each) => each.architecture === architecture);
      if (image !== undefined) {
        lines.push([id, architecture, join(old.folder, image.file), join(folder, file)].join('\t'));
      }
    }
  }
} else if (command === 'registry') {
  const { repository, tags } = read(files[0]);
  const { tag } = tags.find(({ what, form }) => what === 'index' && form === 'raw');
  lines.push(`oci://${repository}:${tag}`);
} else if (command === 'login') {
  const [target, file] = files;
  const own = existsSync(file) ? read(file) : {};
  const host = target.replace(/^oci:\/\//, '').split('/')[0];
  const { REGISTRY_USER: user, REGISTRY_PASSWORD: password } = process.env;
  const { [host]: _helper, ...credHelpers } = own.credHelpers ?? {};
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  lines.push(JSON.stringify({ ...own, credHelpers, auths: { ...own.auths, [host]: { auth } } }));
} else throw new Error(`facts.mjs: no command ${command}`);
process.stdout.write(lines.map((line) => `${line}\n`).join(''));
