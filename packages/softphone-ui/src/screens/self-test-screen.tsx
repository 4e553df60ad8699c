/**
 * The self-test on screen: the verdict on top, every check with what was found and what to do, to be run again and to be copied. Runs once by
 * itself. Loaded only when it is asked for (parts/self-test-door.tsx). Must never open the microphone beside a call, or unasked.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import { lentTexts } from '../lent-texts.ts';
import type { Panel } from '../panel.ts';
import { type CheckRow, type CheckState, createSelfTest, verdictOf } from '../self-test.ts';
import { selfTestTexts } from '../self-test-texts.ts';

const say = selfTestTexts;
const icons: Readonly<Record<CheckState, IconName>> = {
  waiting: 'waiting',
  running: 'waiting',
  good: 'done',
  bad: 'warning',
  unsure: 'help',
};

export function SelfTestScreen({
  panel,
  byAgent,
}: {
  readonly panel: Panel;
  /** The agent opened it, in person. */
  readonly byAgent: boolean;
}) {
  const test = useMemo(() => createSelfTest(panel.selfTestSubject), [panel]);
  const copied = useSignal<string | null>(null);
  const byHand = useSignal<string | null>(null);
  useEffect(() => {
    const calls = panel.selfTestSubject.phone()?.state.peek().calls ?? [];
    void test.run(byAgent && calls.every(({ phase }) => phase === 'ended'));
    return () => test.stop();
  }, [test]);

  const rows = test.rows.value;
  const running = test.running.value;
  const verdict = verdictOf(rows);
  const speaks = rows.some(({ id, state }) => id === 'microphone' && state === 'running');

  async function copy(): Promise<void> {
    const text = test.asText(aboutHere(panel), namesOf(panel));
    try {
      await navigator.clipboard.writeText(text);
      copied.value = say.copied;
    } catch {
      // The page around us may keep the clipboard from us; what is selected can be copied by hand.
      byHand.value = text;
      copied.value = say.copyByHand;
    }
  }

  return (
    <>
      <p class={`verdict is-${verdict.state}`} role="status">
        <StateIcon state={verdict.state} size={22} />
        <span>
          {verdict.words} {speaks && say.speak}
        </span>
      </p>
      <ul class="checks" aria-busy={running}>
        {rows.map((row) => (
          <Check key={row.id} row={row} />
        ))}
      </ul>
      <div class="foot">
        {byHand.value !== null && (
          <textarea
            class="note-text copy-text"
            aria-label={say.result}
            readOnly
            rows={4}
            value={byHand.value}
            ref={(element) => element?.select()}
          />
        )}
        <p class="copy-says" role="status">
          {copied.value}
        </p>
        <div class="button-row">
          <button
            type="button"
            class="button"
            aria-disabled={running}
            onClick={() => {
              if (running) return;
              copied.value = null;
              byHand.value = null;
              void test.run(true);
            }}
          >
            {say.runAgain}
          </button>
          <button
            type="button"
            class="button button-primary"
            aria-disabled={running}
            onClick={() => {
              if (!running) void copy();
            }}
          >
            {say.copy}
          </button>
        </div>
      </div>
    </>
  );
}

function StateIcon({ state, size }: { readonly state: CheckState; readonly size: number }) {
  return (
    <span class={`tone-${state}`}>
      <Icon name={icons[state]} size={size} />
    </span>
  );
}

function Check({ row }: { readonly row: CheckRow }) {
  const { title, state, found, advice } = row;
  return (
    <li class="check">
      <StateIcon state={state} size={20} />
      <div class="check-words">
        <p class="check-head">
          <span class="check-title">{title}</span>
          <span class={`check-state tone-${state}`}>{say.states[state]}</span>
        </p>
        {found !== '' && <p class="check-found">{found}</p>}
        {advice !== '' && <p class="check-advice">{advice}</p>}
      </div>
    </li>
  );
}

function aboutHere({ selfTestSubject }: Panel): readonly string[] {
  const minute = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return [
    `${lentTexts.product}: ${lentTexts.title}, ${minute} UTC`,
    `${selfTestSubject.host.crm} · ${location.origin} · ${navigator.userAgent}`,
  ];
}

function namesOf(panel: Panel): readonly string[] {
  const stage = panel.stage.value;
  const signedIn = panel.selfTestSubject.relay.session()?.agent.name;
  if (stage.kind !== 'ready') return signedIn === undefined ? [] : [signedIn];
  const { agent, tenant } = stage.model.profile.value;
  return [agent.name, tenant.name];
}
