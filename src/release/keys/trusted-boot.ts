import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint, readCertificate } from '../../image/signature.ts';
import { efiSignatureList } from './efi-signature-list.ts';
import { writeNewFiles } from './new-files.ts';

export interface TrustedBootFile {
  readonly path: string;
  readonly purpose: string;
}

/**
 * Writes what brings a certificate into the firmware's db, from where immucore hands it to systemd (/run/verity.d) when a signed UKI boots.
 * docs/trust.md says where each file goes. Nothing that is there is overwritten.
 */
export async function writeTrustedBootFiles(certificate: string, folder: string): Promise<TrustedBootFile[]> {
  const x509 = await readCertificate(certificate);
  const files = [
    {
      path: join(folder, 'db.esl'),
      purpose: 'EFI signature list: append it to the db that is enrolled',
      content: efiSignatureList(x509.raw, ownerGuid(fingerprint(x509))),
    },
    {
      path: join(folder, 'db.der'),
      purpose: 'the certificate as DER: for enrolment by hand in the firmware',
      content: x509.raw,
    },
    {
      path: join(folder, 'verity.crt'),
      purpose: 'the certificate as PEM: for /etc/verity.d of a node without trusted boot',
      content: x509.toString(),
    },
  ];
  await mkdir(folder, { recursive: true });
  await writeNewFiles(files.map(({ path, content }) => ({ path, content, mode: 0o644 })));
  return files.map(({ path, purpose }) => ({ path, purpose }));
}

/** The owner says who enrolled a certificate; made from its fingerprint (a UUID of version 8), so that the files are the same each time. */
function ownerGuid(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
