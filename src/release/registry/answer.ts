import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import type { HttpResponse } from '../../support/http.ts';
import { jsonOrUndefined } from '../../support/json.ts';

const LIMIT = 4 * 1024 * 1024;

/** The text of an answer that is small by nature. Throws `network` when it is not. */
export async function readText(response: HttpResponse, where: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body) {
    size += piece.length;
    if (size > LIMIT) {
      await response.discard();
      throw new SextantError('network', `${where}: the answer is longer than ${LIMIT} bytes`, {
        hint: 'check that the address is a registry',
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

// OCI distribution specification 1.1, "Error Codes".
const errors = z.object({
  errors: z.array(z.object({ code: z.string().optional(), message: z.string().optional() })).min(1),
});

/** What a registry says of an error, as " (CODE: message)"; "" where it says nothing readable. */
export function serverWords(text: string): string {
  const [first] = errors.safeParse(jsonOrUndefined(text)).data?.errors ?? [];
  const words = [first?.code, first?.message].filter(Boolean).join(': ');
  // Another's words must not steer the terminal, nor fill it.
  return words === '' ? '' : ` (${words.replace(/\p{Cc}/gu, ' ').slice(0, 200)})`;
}
