import { SextantError } from '../support/errors.ts';

/** The oldest systemd whose system extensions Kairos merges as the design needs it (image policies came with 255). */
const OLDEST_SYSTEMD = 255;

/** Prints what a guest says it is: "kairos VERSION", "systemd VERSION", "provider FILE" for each plug-in in the image itself. */
export const CORE_FACTS = `
( for file in /etc/os-release /etc/kairos-release; do [ ! -e $file ] || . $file; done; echo "kairos \${KAIROS_VERSION:-}" )
echo "systemd $(systemctl --version 2>/dev/null | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')"
for plugin in /system/providers/agent-provider-*; do [ ! -e "$plugin" ] || echo "provider $plugin"; done
`;

/** Holds what CORE_FACTS printed against what an extension needs. Throws `input` for what is no core image of Kairos with systemd. */
export function checkCore(node: string, facts: string): void {
  const of = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(facts)?.[1]?.trim() ?? '';
  const wrong = (why: string, hint: string) => new SextantError('input', `${node}: ${why}`, { hint });
  if (of('kairos') === '') {
    throw wrong(
      'the image is not Kairos (no KAIROS_VERSION in /etc/kairos-release)',
      'give a Kairos core image with --core',
    );
  }
  const systemd = Number(of('systemd'));
  if (!(systemd >= OLDEST_SYSTEMD)) {
    throw wrong(
      systemd > 0
        ? `the image has systemd ${systemd}, ${OLDEST_SYSTEMD} or newer is needed`
        : 'the image has no systemd',
      'give a newer Kairos core image, with systemd',
    );
  }
  if (of('provider') !== '') {
    throw wrong(
      `the image is a standard image already: ${of('provider')} is part of it`,
      'give a core image: a standard one brings its own Kubernetes',
    );
  }
}
