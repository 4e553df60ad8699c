/** The phone at rest: keypad, recent calls, colleagues, voicemail, settings, behind one row of tabs; those that the phone system has. */
import { useRef } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import type { Tab } from '../layout.ts';
import type { Panel } from '../panel.ts';
import { LaterPlace } from '../parts/later-place.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { KeypadScreen } from './keypad-screen.tsx';

const tabs: readonly { readonly tab: Tab; readonly icon: IconName; readonly label: string }[] = [
  { tab: 'keypad', icon: 'keypad', label: texts.tabKeypad },
  { tab: 'recent', icon: 'history', label: texts.tabRecent },
  { tab: 'colleagues', icon: 'conference', label: texts.tabColleagues },
  { tab: 'voicemail', icon: 'voicemail', label: texts.tabVoicemail },
  { tab: 'settings', icon: 'settings', label: texts.tabSettings },
];

function tabsOf({ features }: SoftphoneModel) {
  const { watch, park, voicemail } = features.value;
  return tabs.filter(({ tab }) => {
    if (tab === 'colleagues') return watch.length > 0 || (park?.slots.length ?? 0) > 0;
    return tab !== 'voicemail' || (voicemail !== null && (voicemail.listed || voicemail.number !== null));
  });
}

export function ReadyScreen({ panel, model }: { readonly panel: Panel; readonly model: SoftphoneModel }) {
  const wanted = model.tab.value;
  // The profile may lose what a tab was for.
  const tab = tabsOf(model).some((one) => one.tab === wanted) ? wanted : 'keypad';
  return (
    <div class="ready">
      <div
        class="tab-panel"
        id={`patchcord-panel-${tab}`}
        role="tabpanel"
        aria-labelledby={`patchcord-tab-${tab}`}
        tabIndex={-1}
      >
        {tab === 'keypad' && <KeypadScreen model={model} />}
        {tab === 'recent' && <LaterPlace>{({ RecentScreen }) => <RecentScreen model={model} />}</LaterPlace>}
        {tab === 'colleagues' && (
          <LaterPlace>{({ ColleaguesScreen }) => <ColleaguesScreen model={model} />}</LaterPlace>
        )}
        {tab === 'voicemail' && <LaterPlace>{({ VoicemailScreen }) => <VoicemailScreen model={model} />}</LaterPlace>}
        {tab === 'settings' && (
          <LaterPlace>{({ SettingsScreen }) => <SettingsScreen panel={panel} model={model} />}</LaterPlace>
        )}
      </div>
      <Tabs model={model} current={tab} />
    </div>
  );
}

/** One stop for the Tab key; arrows, Home and End move inside (WAI-ARIA tabs pattern). */
function Tabs({ model, current }: { readonly model: SoftphoneModel; readonly current: Tab }) {
  const list = useRef<HTMLDivElement>(null);
  const shown = tabsOf(model);
  const badges: Partial<Record<Tab, readonly [count: number, words: (count: number) => string]>> = {
    recent: [model.history.missed.value, texts.missedCount],
    voicemail: [model.voicemail.unheard.value, texts.newMessages],
  };

  function move(event: KeyboardEvent): void {
    const index = shown.findIndex(({ tab }) => tab === current);
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    const next = shown[(to + shown.length) % shown.length];
    if (next === undefined) return;
    event.preventDefault();
    model.showTab(next.tab);
    list.current?.querySelector<HTMLElement>(`#patchcord-tab-${next.tab}`)?.focus();
  }

  return (
    <div ref={list} class="tabs" role="tablist" aria-label={texts.tabsLabel} onKeyDown={move}>
      {shown.map(({ tab, icon, label }) => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`patchcord-tab-${tab}`}
          class="tab"
          aria-selected={tab === current}
          aria-controls={tab === current ? `patchcord-panel-${tab}` : undefined}
          tabIndex={tab === current ? 0 : -1}
          onClick={() => model.showTab(tab)}
        >
          <Icon name={icon} />
          <span>{label}</span>
          <Badge of={badges[tab]} />
        </button>
      ))}
    </div>
  );
}

function Badge({
  of: [count, words] = [0, texts.missedCount],
}: {
  readonly of: readonly [number, (count: number) => string] | undefined;
}) {
  if (count === 0) return null;
  return (
    <span class="badge digits">
      <span aria-hidden="true">{count}</span>
      <span class="unseen">{words(count)}</span>
    </span>
  );
}
