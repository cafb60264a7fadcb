import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import type { UsualSlot } from '../model/types.ts';
import { readGrubVariables } from '../observe/grub.ts';
import { mountAt } from '../observe/mounts.ts';
import { writeStatePartition } from '../observe/state-partition.ts';
import { runProgram } from '../programs.ts';

/** Menu entries of Kairos' grub.cfg (`--id`). */
const GRUB_ENTRIES: Readonly<Record<UsualSlot, string>> = { active: 'cos', passive: 'fallback' };
const OEM_ENVIRONMENT = '/oem/grubenv';

/**
 * Makes the next boot, and only that, take a slot. Kairos' grub.cfg reads `next_entry` from the file /grubenv of COS_OEM and clears it; it
 * comes before GRUB's boot assessment. Written by grub-editenv rather than kairos-agent, which reads all cloud-config first, from the
 * network too: in the initramfs stage there is none. Where COS_OEM is encrypted, GRUB reads the one on COS_STATE
 * (kairos-agent v2.31.4, pkg/action/bootentries.go). Trusted boot has systemd-boot, and kairos-agent knows it.
 */
export function bootSlotOnce(host: Host, slot: UsualSlot): void {
  if (host.stat('/run/cos/uki_boot_mode')) {
    runProgram(host, 'kairos-agent', ['bootentry', '--select', slot], { timeoutSeconds: 120 });
    return;
  }
  const entry = GRUB_ENTRIES[slot];
  if (mountAt(host, '/oem')?.source.startsWith('/dev/mapper/')) {
    const set = writeStatePartition(host, (folder) => setNextEntry(host, `${folder}/grubenv`, entry));
    if (set === undefined) throw noStatePartition();
    return;
  }
  setNextEntry(host, OEM_ENVIRONMENT, entry);
  emptyJournal(host, '/oem');
}

/** True once the file says so. */
function setNextEntry(host: Host, path: string, entry: string): true {
  if (!host.stat(path)) runProgram(host, 'grub-editenv', [path, 'create']);
  runProgram(host, 'grub-editenv', [path, 'set', `next_entry=${entry}`]);
  host.sync(path);
  if (readGrubVariables(host, path).get('next_entry') !== entry)
    throw new Failure(
      'tool',
      `${path}: grub-editenv did not set next_entry`,
      'choose the slot by hand in the boot menu, or with: kairos-agent bootentry',
    );
  return true;
}

/** What was synced may be in ext4's journal only, which GRUB does not read; freezing writes it to its place. */
function emptyJournal(host: Host, mountPoint: string): void {
  if (!mountAt(host, mountPoint)) return;
  runProgram(host, 'fsfreeze', ['--freeze', mountPoint]);
  runProgram(host, 'fsfreeze', ['--unfreeze', mountPoint]);
}

/** GRUB's boot assessment is over: both its variables go, as kairos-init's own stage does it (08_grub.yaml). */
export function clearBootAssessment(host: Host): void {
  const done = writeStatePartition(host, (folder) => {
    const path = `${folder}/boot_assessment`;
    if (!host.stat(path)) return true;
    runProgram(host, 'grub-editenv', [path, 'unset', 'enable_boot_assessment', 'boot_assessment_tentative']);
    host.sync(path);
    return true;
  });
  if (done === undefined) throw noStatePartition();
}

function noStatePartition(): Failure {
  return new Failure(
    'filesystem',
    '/dev/disk/by-label/COS_STATE: no such partition',
    'GRUB was told nothing; choose the slot in the boot menu',
  );
}
