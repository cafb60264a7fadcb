import type { Host } from '../host/host.ts';

/** The activation writes it while the strict signature policy is in force (src/activation/script-merge.ts). */
const STRICT_POLICY = '/run/systemd/system/systemd-sysext.service.d/zz-sextant-strict.conf';

/** True where systemd-sysext merges only what is signed, on this boot. */
export function isStrict(host: Host): boolean {
  return host.stat(STRICT_POLICY) !== undefined;
}
