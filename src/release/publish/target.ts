import { SextantError } from '../../support/errors.ts';
import { type OciReference, parseReference } from '../../support/registry/reference.ts';

/** Where a release is published. */
export type Target =
  | { readonly kind: 'registry'; readonly reference: OciReference; readonly tag: string | undefined }
  | { readonly kind: 'github'; readonly owner: string; readonly repository: string; readonly tag: string }
  | { readonly kind: 'folder'; readonly path: string };

const HINT = 'a target is oci://HOST/REPOSITORY[:TAG], github:OWNER/REPOSITORY@TAG, or a folder';

/** Reads a target as a person writes it. Throws `usage` for what is none. */
export function parseTarget(text: string): Target {
  const refuse = (why: string) => new SextantError('usage', `"${text}": ${why}`, { hint: HINT });
  if (/^oci:/.test(text)) {
    const rest = text.replace(/^oci:(?:\/\/)?/, '');
    if (rest.includes('@')) throw refuse('a digest comes out of publishing, it cannot be published to');
    // Without a host docker means its own hub; for what is pushed that would be a surprise.
    const [host = ''] = rest.split('/');
    if (!rest.includes('/') || !(/[.:]/.test(host) || host === 'localhost')) {
      throw refuse('the registry is missing (docker.io/NAME/REPOSITORY for Docker Hub)');
    }
    const reference = parseReference(rest);
    const tagged = /:[^/]*$/.test(rest.slice(host.length));
    return { kind: 'registry', reference, tag: tagged ? reference.target : undefined };
  }
  if (/^github:/.test(text)) {
    const [, owner, repository, tag] =
      /^github:(?:\/\/)?([\w.-]+)\/([\w.-]+)(?:@(?:refs\/tags\/)?(.+))?$/.exec(text) ?? [];
    if (owner === undefined || repository === undefined) throw refuse('not OWNER/REPOSITORY');
    if (tag === undefined) throw refuse('the tag of the release is missing');
    if (!/^[\w.+/-]{1,200}$/.test(tag)) throw refuse(`"${tag}" is not a tag`);
    return { kind: 'github', owner, repository, tag };
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw refuse('cannot be published to');
  return { kind: 'folder', path: text.replace(/(?<=.)\/+$/, '') };
}
