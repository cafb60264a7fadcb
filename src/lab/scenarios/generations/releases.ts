import type { Stage } from '../../stage.ts';
import { type BuiltRelease, variantRelease } from '../../variant.ts';

/** Releases after the lab's own: the same programs under the next version, some of them spoilt in one way. */

const CONTAINERD = 'to: /usr/lib/k3s-standin/bin/containerd }';

const next = (recipe: string) => recipe.replaceAll('+k3s0', '+k3s1');

/** One that works. */
export function nextRelease({ lab }: Stage): Promise<BuiltRelease> {
  return variantRelease(lab, 'next', next);
}

/** One more that works. */
export function afterNextRelease({ lab }: Stage): Promise<BuiltRelease> {
  return variantRelease(lab, 'after-next', (recipe) => recipe.replaceAll('+k3s0', '+k3s2'));
}

/** One that works and calls itself the next minor version of Kubernetes; its programs are those of the lab's own. */
export function nextMinorRelease({ lab }: Stage): Promise<BuiltRelease> {
  return variantRelease(lab, 'next-minor', (recipe) => {
    const minor = Number(/^ {2}version: v1\.(\d+)\./m.exec(recipe)?.[1]);
    return recipe
      .replace(/^ {2}version: v1\.\d+\.\d+\+k3s0$/m, `  version: v1.${minor + 1}.0+k3s0`)
      .replace('gitVersion={version}', `gitVersion=v1.${minor + 1}.0`)
      .replace(`gitMinor=${minor}`, `gitMinor=${minor + 1}`);
  });
}

/** One whose packager put containerd where nobody looks for it: Kubernetes never gets Ready. */
export function brokenRelease({ lab }: Stage): Promise<BuiltRelease> {
  return variantRelease(lab, 'broken', (recipe) =>
    next(recipe).replace(CONTAINERD, CONTAINERD.replace('bin/', 'forgotten/')),
  );
}

/** One that runs a command as root on the node right after its merge. */
export function commandRelease({ lab }: Stage, name: string, command: string): Promise<BuiltRelease> {
  const component = `components:
  - name: ${name}
    license: Apache-2.0
    standin: true
    source: { type: file, path: ${name}.yaml, version: "1" }
    files:
      - { from: ${name}.yaml, to: /usr/share/sextant/cloud-config.d/${name}.yaml }
`;
  return variantRelease(lab, name, (recipe) => next(recipe).replace(/^components:\n/m, component), {
    [`${name}.yaml`]: `stages:\n  sextant:\n    - commands:\n        - ${JSON.stringify(command)}\n`,
  });
}
