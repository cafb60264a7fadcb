// What the scripts want to know of a report of `sextant release --json`, one answer a line; columns by tabs.
//   folders REPORT          folders of the releases that are there
//   ids REPORT              id, folder
//   pairs BEFORE AFTER      id, architecture, image before, image after: of releases that both reports have
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [command, ...files] = process.argv.slice(2);
const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')).releases);
const there = (report) =>
  report.filter(({ state, folder }) => folder !== null && (state === 'built' || state === 'present'));
const lines = [];
if (command === 'folders') for (const { folder } of there(reports[0])) lines.push(folder);
else if (command === 'ids') for (const { id, folder } of there(reports[0])) lines.push(`${id}\t${folder}`);
else if (command === 'pairs') {
  const before = new Map(there(reports[0]).map((each) => [each.id, each]));
  for (const { id, folder, release } of there(reports[1])) {
    const old = before.get(id);
    for (const { architecture, file } of release.images) {
      const image = old?.release.images.find((each) => each.architecture === architecture);
      if (image !== undefined) {
        lines.push([id, architecture, join(old.folder, image.file), join(folder, file)].join('\t'));
      }
    }
  }
} else throw new Error(`facts.mjs: no command ${command}`);
process.stdout.write(lines.map((line) => `${line}\n`).join(''));
