import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import { systemClock } from '../../support/retry.ts';
import { type AskContext, askText, parseJson } from '../ask-text.ts';
import { mirrored } from '../mirrors.ts';
import type { Answered } from '../transport.ts';

// GitHub REST API, "Releases" and "Rate limits for the REST API", version 2022-11-28.
const API = 'https://api.github.com';
const PAGE_LIMIT = 20;

const release = z.object({
  tag_name: z.string(),
  prerelease: z.boolean().default(false),
  draft: z.boolean().default(false),
  assets: z.array(z.object({ name: z.string() })).default([]),
});

export interface Release {
  readonly tag: string;
  readonly prerelease: boolean;
  readonly assets: readonly string[];
}

/**
 * Published releases of OWNER/NAME, newest first as GitHub orders them, at most the newest 2000. `enough` ends the listing early.
 */
export async function listReleases(
  repository: string,
  context: AskContext,
  enough: (found: readonly Release[]) => boolean = () => false,
): Promise<Release[]> {
  const found: Release[] = [];
  for (let page = 1; page <= PAGE_LIMIT; page += 1) {
    const url = `${API}/repos/${repository}/releases?per_page=100&page=${page}`;
    const answer = await askApi(url, repository, context);
    const listed = parsed(z.array(release), parseJson(answer, url), url);
    found.push(...listed.filter(({ draft }) => !draft).map(plain));
    if (!/rel="next"/.test(answer.headers.link ?? '') || enough(found)) break;
  }
  return found;
}

/** The release that GitHub calls the latest: the newest that is neither a draft nor a pre-release, or the one upstream chose. */
export async function latestRelease(repository: string, context: AskContext): Promise<Release> {
  const url = `${API}/repos/${repository}/releases/latest`;
  const answer = await askApi(url, repository, context);
  return plain(parsed(release, parseJson(answer, url), url));
}

function plain({ tag_name, prerelease, assets }: z.output<typeof release>): Release {
  return { tag: tag_name, prerelease, assets: assets.map(({ name }) => name) };
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, url: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new SextantError('network', `${url}: not an answer of GitHub's API`, {
    hint: 'check the mirrors in the recipe: one for https://api.github.com/ must speak the REST API',
    details: z.prettifyError(result.error),
  });
}

function askApi(url: string, repository: string, context: AskContext) {
  const token = apiToken(mirrored(url, context.mirrors), process.env);
  return askText(url, context, {
    headers: {
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    explain: (answer, text) => explain(answer, text, repository, token !== undefined, context),
  });
}

/** A token goes to the host it was made for only: a mirror gets the one for GitHub Enterprise, under gh's names for it. */
export function apiToken(address: string, environment: NodeJS.ProcessEnv): string | undefined {
  return address.startsWith(`${API}/`)
    ? environment.GITHUB_TOKEN || environment.GH_TOKEN || undefined
    : environment.GH_ENTERPRISE_TOKEN || environment.GITHUB_ENTERPRISE_TOKEN || undefined;
}

function explain(
  answer: Answered,
  text: string,
  repository: string,
  hasToken: boolean,
  context: AskContext,
): SextantError | undefined {
  const { status, headers } = answer;
  if (status === 404) {
    return new SextantError('input', `${text}: GitHub has no releases of ${repository}`, {
      hint: 'check the repository in the recipe; a private one needs GITHUB_TOKEN',
    });
  }
  if (status === 401) {
    return new SextantError('input', `${text}: GitHub refuses the token`, {
      hint: 'set GITHUB_TOKEN to a valid token, or unset it: public releases need none',
    });
  }
  const exhausted = headers['x-ratelimit-remaining'] === '0';
  if ((status !== 403 && status !== 429) || !(exhausted || 'retry-after' in headers)) return undefined;
  const now = (context.clock ?? systemClock).now();
  const reset = exhausted
    ? Number(headers['x-ratelimit-reset']) * 1000
    : now + Number(headers['retry-after']) * 1000;
  const when = Number.isFinite(reset)
    ? ` until ${new Date(reset).toISOString().slice(0, 19)}Z (${Math.max(1, Math.ceil((reset - now) / 60_000))} min)`
    : '';
  return new SextantError('network', `${text}: GitHub's rate limit is used up${when}`, {
    hint: hasToken
      ? "wait until then; the token's own limit is used up"
      : 'set GITHUB_TOKEN to a token (it needs no rights) for a higher limit, or name exact versions in the recipe: they need no API',
  });
}
