import { afterAll, expect, test } from 'vitest';
import { canChroot, runChrooted, withPrograms } from '../chrooted.ts';
import { put } from '../rooted-host.ts';
import { forgetGoodNode, goodNode, linked, pairOf, powerOn, upgraded } from './played-node.ts';

afterAll(forgetGoodNode);

test.skipIf(!canChroot)(
  'the compiled program decides a boot as the tests’ host does, with nothing but a few programs around it (needs root and busybox-static)',
  async () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    await withPrograms(node, ['sha256sum', 'tee']);
    const ran: (string | undefined)[] = [];
    let milliseconds = 0;
    for (let boots = 0; boots < 4; boots++) {
      powerOn(node, () => {
        const began = performance.now();
        const { status, stderr, stdout } = runChrooted(node, 'boot');
        milliseconds = Math.max(milliseconds, performance.now() - began);
        expect(status, stderr).toBe(0);
        expect(stdout).toMatch(/^sextant: generation \d/);
      });
      ran.push(linked(node));
    }
    expect(ran).toEqual(['second broken', 'second broken', 'second broken', 'first works']);
    expect(pairOf(node, 'second broken')).toMatchObject({ state: 'bad', tries: 3 });
    expect(JSON.parse(node.readText('/run/sextant/boot.json') ?? '')).toMatchObject({
      runs: 1,
      problem: null,
    });
    console.log(`a boot decided in ${Math.round(milliseconds)} ms at most`);
  },
);

/** A cluster that is well: the API server answers, this boot's kubelet has reported and renews its lease. */
const CURL = `#!/usr/bin/sh
for last; do :; done
case $last in
  */readyz) printf ok ;;
  */nodes/node-1) printf '{"status":{"nodeInfo":{"bootID":"%s"},"conditions":[{"type":"Ready","status":"True"}]}}' "$(cat /proc/sys/kernel/random/boot_id)" ;;
  */leases/node-1) printf '{"spec":{"renewTime":"%s"}}' "$(date +%s)" ;;
  */pods?*) printf '{"items":[]}' ;;
  *) exit 22 ;;
esac
`;

test.skipIf(!canChroot)(
  'the compiled program watches a pair to its verdict (needs root and busybox-static)',
  async () => {
    const node = goodNode();
    upgraded(node, 'second works');
    powerOn(node);
    await withPrograms(node, ['sha256sum', 'tee', 'sh', 'cat', 'date']);
    put(node, '/etc/sextant/settings.json', '{"settleSeconds": 1}');
    put(node, '/usr/bin/curl', CURL, 0o755);
    put(node, '/usr/bin/systemctl', '#!/usr/bin/sh\necho active\n', 0o755);
    const { status, stderr, stdout } = runChrooted(node, 'watch');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^sextant: generation 3 .* is good$/m);
    expect(pairOf(node, 'second works')).toMatchObject({ state: 'good', tries: 0 });
    expect(pairOf(node, 'first works').state).toBe('superseded');
    expect(JSON.parse(node.readText('/opt/sextant/health/baseline.json') ?? '')).toEqual({
      format: 1,
      unready: [],
    });
  },
);
