import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addressBytes, createAuthority } from '../../src/hook/certificates.ts';

const NOW = new Date('2026-06-01T12:00:00Z');

describe('the certificate authority of a run', () => {
  it('signs for a host name, from a day ago to a day ahead, and for servers only', async () => {
    const authority = await createAuthority(NOW);
    const root = new X509Certificate(authority.certificate);
    const { cert } = await authority.identityFor('get.k3s.io');
    const leaf = new X509Certificate(cert);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkHost('get.k3s.io')).toBe('get.k3s.io');
    expect(leaf.checkHost('get.k0s.sh')).toBeUndefined();
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    for (const certificate of [root, leaf]) {
      expect(new Date(certificate.validFrom)).toEqual(new Date('2026-05-31T12:00:00Z'));
      expect(new Date(certificate.validTo)).toEqual(new Date('2026-06-02T12:00:00Z'));
    }
  });

  it('signs for IP addresses', async () => {
    const authority = await createAuthority();
    for (const address of ['192.0.2.7', '2001:db8::1:20']) {
      const leaf = new X509Certificate((await authority.identityFor(address)).cert);
      expect(leaf.checkIP(address)).toBe(address);
    }
  });

  it('makes one certificate for each host, and another authority the next time', async () => {
    const [one, two] = await Promise.all([createAuthority(), createAuthority()]);
    expect(one.certificate).not.toBe(two.certificate);
    expect(await one.identityFor('a.test')).toBe(await one.identityFor('a.test'));
  });

  it('writes IP addresses as octets', () => {
    const hex = (address: string) => Buffer.from(addressBytes(address)).toString('hex');
    expect(hex('192.0.2.255')).toBe('c00002ff');
    expect(hex('::')).toBe('0'.repeat(32));
    expect(hex('2001:db8::ff00:42:8329')).toBe('20010db8000000000000ff0000428329');
    expect(hex('::ffff:192.0.2.1')).toBe('00000000000000000000ffffc0000201');
  });
});
