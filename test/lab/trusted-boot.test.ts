import { expect, test } from 'vitest';
import { REFUSED_START } from '../../src/lab/scenarios/trusted-boot.ts';
import {
  COMMAND_LINE,
  foldersOf,
  LOADER_FILES,
  PARTITIONS,
  ukifyArguments,
} from '../../src/lab/trusted-boot/medium.ts';
import { tpmArguments } from '../../src/lab/trusted-boot/tpm.ts';

test('a folder is made after the one that it is in, each once', () => {
  expect(foldersOf(['EFI/kairos/active.efi', 'EFI/BOOT/BOOTX64.EFI', 'loader/loader.conf', 'top'])).toEqual([
    'EFI',
    'EFI/BOOT',
    'EFI/kairos',
    'loader',
  ]);
});

test('the partitions of the guest follow one another, and immucore finds them by label', () => {
  const ends = PARTITIONS.map(({ offset, size }) => offset + size);
  PARTITIONS.slice(1).forEach(({ offset }, index) => void expect(offset).toBe(ends[index]));
  expect(PARTITIONS.map(({ label }) => label)).toEqual(['EFI', 'COS_OEM', 'COS_PERSISTENT']);
  expect(COMMAND_LINE.split(' ')).toContain('rd.immucore.oemlabel=COS_OEM');
});

test('only the partition for the firmware has its type', () => {
  const esp = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
  expect(PARTITIONS.filter(({ typeUuid }) => typeUuid === esp).map(({ label }) => label)).toEqual(['EFI']);
});

test('the loader starts what Kairos calls active, and enrolls keys where no one could be locked out', () => {
  expect(LOADER_FILES['loader/loader.conf']).toMatch(/^default active\.conf$/m);
  expect(LOADER_FILES['loader/loader.conf']).toMatch(/^secure-boot-enroll if-safe$/m);
  expect(LOADER_FILES['loader/entries/active.conf']).toMatch(/^efi \/EFI\/kairos\/active\.efi$/m);
});

test('a UKI is signed by the key that is named, and carries its command line whole', () => {
  const words = ukifyArguments('db', 'console=ttyS0 rd.immucore.uki', 'active.efi');
  expect(words).toContain('--cmdline=console=ttyS0 rd.immucore.uki');
  expect(words).toContain('--secureboot-private-key=db.key');
  expect(words).toContain('--secureboot-certificate=db.crt');
  expect(words.at(-1)).toBe('--output=active.efi');
});

test('the TPM is a TPM 2.0 that ends with its machine', () => {
  const words = tpmArguments('/lab/tpm', '/s/tpm.socket');
  expect(words.join(' ')).toContain('--tpmstate dir=/lab/tpm --ctrl type=unixio,path=/s/tpm.socket');
  expect(words).toContain('--tpm2');
  expect(words).toContain('--terminate');
});

test('what the firmware says of an image that it refuses is told from what it says of one that is not there', () => {
  const device = 'Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x4,0x0)';
  expect(
    REFUSED_START.test(`BdsDxe: loading ${device}\nBdsDxe: failed to load ${device}: Access Denied\r`),
  ).toBe(true);
  expect(REFUSED_START.test(`BdsDxe: failed to load ${device}: Not Found\r`)).toBe(false);
  expect(REFUSED_START.test('BdsDxe: failed to load x\nmount: Access Denied')).toBe(false);
});
