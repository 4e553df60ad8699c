/** The phone at rest: keypad, recent calls, settings, behind one row of tabs. */
import { useRef } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import type { Panel } from '../panel.ts';
import type { SoftphoneModel, Tab } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { KeypadScreen } from './keypad-screen.tsx';
import { RecentScreen } from './recent-screen.tsx';
import { SettingsScreen } from './settings-screen.tsx';

const tabs: readonly { readonly tab: Tab; readonly icon: IconName; readonly label: string }[] = [
  { tab: 'keypad', icon: 'keypad', label: texts.tabKeypad },
  { tab: 'recent', icon: 'history', label: texts.tabRecent },
  { tab: 'settings', icon: 'settings', label: texts.tabSettings },
];

export function ReadyScreen({ panel, model }: { readonly panel: Panel; readonly model: SoftphoneModel }) {
  const tab = model.tab.value;
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
        {tab === 'recent' && <RecentScreen model={model} />}
        {tab === 'settings' && <SettingsScreen panel={panel} model={model} />}
      </div>
      <Tabs model={model} />
    </div>
  );
}

/** One stop for the Tab key; arrows, Home and End move inside (WAI-ARIA tabs pattern). */
function Tabs({ model }: { readonly model: SoftphoneModel }) {
  const list = useRef<HTMLDivElement>(null);
  const current = model.tab.value;
  const missed = model.history.missed.value;

  function move(event: KeyboardEvent): void {
    const index = tabs.findIndex(({ tab }) => tab === current);
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    const next = tabs[(to + tabs.length) % tabs.length];
    if (next === undefined) return;
    event.preventDefault();
    model.showTab(next.tab);
    list.current?.querySelector<HTMLElement>(`#patchcord-tab-${next.tab}`)?.focus();
  }

  return (
    <div ref={list} class="tabs" role="tablist" aria-label={texts.tabsLabel} onKeyDown={move}>
      {tabs.map(({ tab, icon, label }) => (
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
          {tab === 'recent' && missed > 0 && (
            <span class="badge digits">
              <span aria-hidden="true">{missed}</span>
              <span class="unseen">{texts.missedCount(missed)}</span>
            </span>
          )}
        </button>
      ))}
    </div>
  );
}
