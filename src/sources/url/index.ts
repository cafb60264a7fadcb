import { SextantError } from '../../support/errors.ts';
import { fill } from '../../support/fill.ts';
import { lastPart } from '../mirrors.ts';
import { pin, publishedChecksum } from '../published-checksum.ts';
import { incompleteLock, materializeFile } from '../single-file.ts';
import type { SourceRoom } from '../types.ts';

/** A file at an address: `{arch}` and `{version}` are filled in, digests come from the recipe or a published list. */
export const url: SourceRoom<'url'> = {
  async resolve(component, source, architecture, context) {
    const values = {
      arch: source.archNames[architecture],
      version: source.version.replace(/^v(?=\d)/, ''),
      tag: encodeURIComponent(source.version),
    };
    const address = fill(source.url, values);
    const name = lastPart(address);
    const given = source.sha256?.[architecture];
    let expected = given === undefined ? undefined : { sha256: given, from: 'the recipe' };
    if (source.checksums !== undefined) {
      const list = fill(source.checksums, values);
      const published = await publishedChecksum(list, name, context);
      if (given !== undefined && given !== published) {
        throw new SextantError(
          'verification',
          `${component.name}: the recipe says sha256 ${given} for ${name}, ${list} says ${published}`,
          { hint: 'one of them is wrong or old: correct sha256 in the recipe, or leave it out' },
        );
      }
      expected = { sha256: published, from: list };
    }
    const blob = await pin(component.name, address, expected, context);
    return {
      name: component.name,
      type: 'url',
      version: source.version,
      inputs: [blob],
      detail: { file: name },
    };
  },

  async materialize(component, _source, locked, _architecture, context) {
    const [blob] = locked.inputs;
    if (blob === undefined) throw incompleteLock(component.name);
    return materializeFile(component, lastPart(blob.url), blob, context);
  },
};
