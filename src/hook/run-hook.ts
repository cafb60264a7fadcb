import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SextantError, toSextantError } from '../support/errors.ts';
import { type BuildLog, openBuildLog } from './build-log.ts';
import {
  type BuildEvent,
  decodeResponse,
  type EventResponse,
  encodeEvent,
  installedVersion,
  requireInstalled,
} from './protocol.ts';
import { type RecordingProxy, startProxy } from './proxy.ts';
import { clearSandbox, prepareSandbox, runSandbox, type SandboxOutcome } from './sandbox.ts';
import { type TimeLimit, timeLimit } from './time-limit.ts';
import type { HookRequest, HookResult } from './types.ts';

const SHOWN_LINES = 40;

/**
 * Runs the provider's own build hook, `init.provider.install` then `init.provider.info`, in a sandbox over `request.root` as kairos-init
 * would in a container build: the plug-in at /system/providers, root, no network but a recording proxy that serves what `request.answer`
 * gives. The log is written whatever happens.
 *
 * Throws `tool` when the hook fails, answers nonsense or takes too long, or no sandbox can be made; `input` when the hook asked for an
 * address that was refused, also when it got along without; `interrupted` on the context's signal; and whatever `answer` threw. Details are
 * the end of the log; `filesystem` when the disk is full. After an error nothing is left in the work folder, and never a process or a mount.
 */
export async function runHook(
  request: HookRequest,
  options: { readonly foreignMode?: 'wrappers' } = {},
): Promise<HookResult> {
  const log = openBuildLog(request.logFile);
  try {
    log.line('sextant', `plug-in ${basename(request.plugin)} for ${request.architecture}`);
    log.line('sextant', `at most ${request.timeoutSeconds} s, downloads by sextant itself not counted`);
    const names = Object.keys(request.environment);
    if (names.length > 0) log.line('sextant', `environment from the recipe: ${names.join(', ')}`);
    const result = await runLogged(request, options.foreignMode, log);
    log.line('sextant', `installed ${request.payload.provider} ${result.version}`);
    return result;
  } catch (thrown) {
    const error = toSextantError(thrown);
    log.line('sextant', `failed: ${error.message}`);
    if (error.code === 'interrupted' || error.code === 'internal') throw error;
    const details = [error.details, `end of ${request.logFile}:`, log.end(SHOWN_LINES)]
      .filter(Boolean)
      .join('\n');
    // unshare(2) says the same where namespaces are forbidden: that sandbox was never made.
    const made = !error.message.startsWith('the sandbox of the hook cannot be made here');
    if (error.code === 'tool' && made && details.includes('No space left on device')) {
      throw new SextantError(
        'filesystem',
        `${request.context.cache}: no space left on the disk for what the hook writes`,
        { hint: 'free some space, or point SEXTANT_CACHE at another disk', cause: error, details },
      );
    }
    throw new SextantError(error.code, error.message, {
      hint: error.hint ?? 'the build log has everything the hook said',
      cause: error,
      details,
    });
  } finally {
    log.close();
  }
}

async function runLogged(
  request: HookRequest,
  foreignMode: 'wrappers' | undefined,
  log: BuildLog,
): Promise<HookResult> {
  const { context, payload, workFolder } = request;
  await mkdir(workFolder, { recursive: true });
  const limit = timeLimit(request.timeoutSeconds);
  let proxy: RecordingProxy | undefined;
  let userMap: Parameters<typeof clearSandbox>[1] = 'none';
  let finished = false;
  try {
    proxy = await startProxy({
      answer: request.answer,
      log,
      onWaiting: (waiting) => (waiting ? limit.pause() : limit.resume()),
    });
    const events = [
      encodeEvent('init.provider.install', payload),
      encodeEvent('init.provider.info', payload),
    ];
    const sandbox = await prepareSandbox({
      hook: request,
      proxy,
      events,
      log,
      ...(foreignMode === undefined ? {} : { foreignMode }),
    });
    userMap = sandbox.userMap;
    const signal = AbortSignal.any([context.signal, limit.signal]);
    const outcome = await runSandbox(sandbox, log, signal).catch((error: unknown) => {
      throw context.signal.aborted ? error : (timedOut(request, limit) ?? error);
    });
    limit.stop();
    await proxy.close();
    // The cause before its consequences: a refused download is why the hook failed.
    throwForProxy(proxy);
    const install = responseOf('init.provider.install', outcome, log);
    requireInstalled(install, payload);
    const version = installedVersion(responseOf('init.provider.info', outcome, log), payload);
    finished = true;
    return { upper: join(workFolder, 'upper'), removed: outcome.removed, version, urls: proxy.urls() };
  } catch (error) {
    if (proxy !== undefined && !context.signal.aborted) throwForProxy(proxy);
    throw error;
  } finally {
    limit.stop();
    await proxy?.close();
    await clearSandbox(workFolder, userMap, !finished).catch((error: unknown) => {
      if (finished) throw error;
      log.line('sextant', `${workFolder} could not be cleared: ${toSextantError(error).message}`); // Not the first error.
    });
  }
}

function timedOut(request: HookRequest, limit: TimeLimit): SextantError | undefined {
  if (!limit.expired()) return undefined;
  const name = basename(request.plugin);
  return new SextantError(
    'tool',
    `the hook of ${name} took longer than ${request.timeoutSeconds} s and was ended`,
    {
      hint: 'read what it did last below; raise hook.timeoutSeconds in the recipe if it only needs longer',
    },
  );
}

function throwForProxy(proxy: RecordingProxy): void {
  const failure = proxy.failure();
  if (failure !== undefined) throw failure;
  const refusals = proxy.refusals();
  const [first] = refusals;
  if (first === undefined) return;
  const more = refusals.length === 1 ? '' : ` (and ${refusals.length - 1} more, below)`;
  throw new SextantError('input', `the hook asked for ${first.url}: ${first.reason}${more}`, {
    hint: 'every address a hook asks for must be in the lock; a hook that asks for other ones than when it was locked has changed',
    ...(more === '' ? {} : { details: refusals.map(({ url, reason }) => `${url}: ${reason}`).join('\n') }),
  });
}

function responseOf(name: BuildEvent, outcome: SandboxOutcome, log: BuildLog): EventResponse {
  const answer = outcome.answers.get(name);
  if (answer === undefined) {
    throw new SextantError('tool', `the plug-in did not answer ${name}`, {
      hint: 'it was ended by a signal; when memory ran out, free some and run again',
    });
  }
  if (answer.code !== 0) {
    log.output(`${name} stdout`, answer.stdout);
    throw new SextantError('tool', `the plug-in failed at ${name} with exit code ${answer.code}`, {
      hint: FAILURE_HINTS[answer.code] ?? 'its output is below and in the build log',
    });
  }
  try {
    const response = decodeResponse(name, answer.stdout);
    log.line('event', `${name} answered ${response.state}`);
    for (const member of ['log', 'data', 'error'] as const) {
      if (response[member] !== '') log.line(`${name} ${member}`, response[member].trimEnd());
    }
    return response;
  } catch (error) {
    log.output(`${name} stdout`, answer.stdout);
    throw error;
  }
}

// Exit codes of a shell that could not start a program (POSIX, Shell Command Language, 2.8.2).
const FAILURE_HINTS: Readonly<Record<number, string>> = {
  126: 'the plug-in cannot be executed: is it built for the architecture, and are its libraries in the root (hook.rootPackages)?',
  127: 'the plug-in was not found or its loader is missing: a plug-in should be a static program',
};
