import { timeText } from '../commands/text.ts';
import { Failure } from '../failure.ts';

/**
 * What curl says of a certificate whose time is not now: OpenSSL's words (crypto/x509/x509_txt.c), and those of curl's GnuTLS part
 * (lib/vtls/gtls.c). The answer's code is 60 for every other fault of a certificate too.
 */
const NOT_YET = /not (?:yet valid|activated)/;
const ENDED = /has expired|expiration date has passed/;

/**
 * Why curl refused a server's certificate (exit codes 60 and 77), `said` being its own words and `at` the node's clock, milliseconds since
 * 1970. A node without a battery for its clock begins in the past, where every certificate is not yet valid.
 */
export function refusedCertificate(shown: string, said: string, at: number): Failure {
  const time = NOT_YET.test(said) ? 'is not yet valid' : ENDED.test(said) ? 'has expired' : undefined;
  if (time === undefined)
    return new Failure(
      'network',
      `${shown}: the server's certificate is not trusted on this node`,
      'add its authority to the node, or to the activation (caCertificate)',
    );
  return new Failure(
    'network',
    `${shown}: the server's certificate ${time} by this node's clock, which says ${timeText(new Date(at).toISOString())}`,
    "compare with the true time: `timedatectl set-time` sets a clock that is wrong; if it is right, the server's certificate has to be renewed",
  );
}
