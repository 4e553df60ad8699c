/**
 * Runs the self-test: one check after the other, each with its own end, and what came out of it in words. Owns the state of the checks and the
 * text that can be passed on. The text must never carry a number of a person, a name or a secret.
 */
import type { SelfCheck, SelfCheckResult } from '@patchcord/crm-adapters/panel';
import { type ReadonlySignal, signal } from '@preact/signals';
import { type SelfTestSubject, selfChecksOf } from './self-checks.ts';
import { selfTestTexts } from './self-test-texts.ts';

export type CheckState = 'waiting' | 'running' | SelfCheckResult['verdict'];
export interface CheckRow {
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  readonly found: string;
  readonly advice: string;
}

export interface SelfTest {
  readonly rows: ReadonlySignal<readonly CheckRow[]>;
  readonly running: ReadonlySignal<boolean>;
  /** Starts anew, whatever was under way. `listen`: the agent asked for it, so that the microphone may be opened. */
  run(listen: boolean): Promise<void>;
  /** What came of it, to be passed on; `about` says where it was seen, in lines that carry no name. */
  asText(about: readonly string[], names: readonly string[]): string;
  stop(): void;
}

/** No check takes longer, whatever it waits for. */
const checkMs = 45_000;
const say = selfTestTexts;

/** Looks at nothing before `run`. */
export function createSelfTest(subject: SelfTestSubject, checksOf = selfChecksOf): SelfTest {
  const rows = signal<readonly CheckRow[]>([]);
  const running = signal(false);
  let turn = 0;

  function set(id: string, part: Partial<CheckRow>): void {
    rows.value = rows.value.map((row) => (row.id === id ? { ...row, ...part } : row));
  }

  async function look(check: SelfCheck): Promise<SelfCheckResult> {
    let timer: unknown;
    const late = new Promise<SelfCheckResult>((resolve) => {
      timer = subject.clock.setTimeout(
        () => resolve({ verdict: 'unsure', found: say.tookTooLong, advice: say.again }),
        checkMs,
      );
    });
    return await Promise.race([check.run(), late])
      .catch((): SelfCheckResult => ({ verdict: 'unsure', found: say.noReason, advice: say.again }))
      .finally(() => subject.clock.clearTimeout(timer));
  }

  return {
    rows,
    running,
    async run(listen) {
      turn += 1;
      const mine = turn;
      running.value = true;
      rows.value = [];
      const checks = await checksOf(subject, listen);
      if (mine !== turn) return;
      rows.value = checks.map(({ id, title }) => ({ id, title, state: 'waiting', found: '', advice: '' }));
      for (const check of checks) {
        set(check.id, { state: 'running' });
        const { verdict, found, advice = '' } = await look(check);
        if (mine !== turn) return;
        set(check.id, { state: verdict, found, advice });
      }
      running.value = false;
    },
    asText(about, names) {
      const lines = rows.value.map(
        ({ id, title, state, found, advice }) =>
          // Before anybody is signed in nobody knows which words are a name.
          `[${say.states[state]}] ${title}: ${id === 'sign-in' && names.length === 0 ? say.leftOut : found}${advice === '' ? '' : ` → ${advice}`}`,
      );
      return [...about, verdictOf(rows.value).words, ...lines.map((line) => masked(line, names))].join('\n');
    },
    stop() {
      turn += 1;
      running.value = false;
    },
  };
}

/** The whole in one sentence. */
export function verdictOf(rows: readonly CheckRow[]): { readonly state: CheckState; readonly words: string } {
  const count = (state: CheckState): number => rows.filter((row) => row.state === state).length;
  const done = rows.length - count('waiting') - count('running');
  if (rows.length === 0) return { state: 'running', words: say.beginning };
  if (done < rows.length) {
    const title = rows.find(({ state }) => state === 'running')?.title ?? '';
    return { state: 'running', words: say.progress(title, Math.min(done + 1, rows.length), rows.length) };
  }
  if (count('bad') > 0) return { state: 'bad', words: say.wrong(count('bad'), count('unsure')) };
  return count('unsure') > 0
    ? { state: 'unsure', words: say.unsure(count('unsure')) }
    : { state: 'good', words: say.allGood };
}

/** An address with whatever stands around it; a host or an octet group with its port; spans; what a server answered. */
const address = /[a-z][a-z\d+.-]*:\/\/[^\s<>"'()]+/gi;
const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const port = '(?::\\d{2,5}(?!\\d))?';
const kept = [
  '[a-z][a-z\\d+.-]*:\\/\\/[^\\s\\/]+',
  `(?<![\\w.-])(?:(?:[a-z][a-z\\d-]*\\.)+[a-z]{2,}|localhost)${port}`,
  `(?<![\\d.])${octet}(?:\\.${octet}){3}(?![\\d.]*\\d)${port}`,
  '\\d+(?= ms\\b)',
  '(?<= of )100\\b',
  '[3-6]\\d\\d(?= (?:Bad|Unauth|Forbidden|Not|Request|Server|Service)\\b)',
].join('|');
const keptOrNumber = new RegExp(`(${kept})|(?:\\(\\d+\\)|\\+?\\d)(?:[ ().\\/-]*\\d)*`, 'gi');

/**
 * Without numbers of people, names, addresses and anything that looks like a secret. Names of servers stay: they are what is looked for. Of a
 * web address origin and path are left, of a long number its last two digits.
 */
export function masked(text: string, names: readonly string[]): string {
  const clean = text
    .replaceAll(address, originAndPath)
    .replaceAll(/eyJ[\w-]+(\.[\w-]+)*|(?<![\w-])[\w-]{40,}(?![\w-])/g, '[hidden]')
    .replaceAll(/[?&;][\w.%-]+=[^\s<>"'()]*|\b[\w-]*(?:key|token|secret|pass\w*)=[^\s<>"'()]+/gi, '[hidden]')
    .replaceAll(/[^\s@<>()"]+@[\w.:-]*\w/g, '[email]')
    .replaceAll(keptOrNumber, (all, keep: string | undefined) => keep ?? maskedNumber(all));
  return names
    .flatMap((name) => [name, ...name.split(/\s+/)])
    .filter((name) => name.length > 2)
    .reduce((words, name) => words.replaceAll(name, '[name]'), clean);
}

function originAndPath(found: string): string {
  const url = found.replace(/[.,;:!?]+$/, '');
  if (!URL.canParse(url)) return '[hidden]';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}${found.slice(url.length)}`;
}

/** Short ones that are no number of anybody ("2 of 7", "66.0") stay. */
function maskedNumber(number: string): string {
  const digits = number.replaceAll(/\D/g, '');
  if (digits.length < 6 && !/\d{3}/.test(number)) return number;
  return `•••${digits.length < 7 ? '' : digits.slice(-2)}`;
}
