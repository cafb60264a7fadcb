import { SextantError } from '../support/errors.ts';
import { activationInput } from './input.ts';
import type { Activation, ActivationInput } from './types.ts';

/**
 * The input checked, with every default filled in. Throws `input` that lists all problems at once, each with the path of its value;
 * values themselves are not shown, since some are secrets.
 */
export function checkActivation(input: ActivationInput): Activation {
  const result = activationInput.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'activation'}: ${message}`,
  );
  throw new SextantError(
    'input',
    `activation: ${problems.length === 1 ? problems[0] : 'several values are wrong'}`,
    {
      hint: 'correct the values named; docs/activation.md says what each one is',
      ...(problems.length > 1 ? { details: problems.join('\n') } : {}),
    },
  );
}
