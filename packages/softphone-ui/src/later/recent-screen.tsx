/** Recent and missed calls, newest first; one click calls back. */
import type { CallSummary } from '@patchcord/call-protocol';
import { type HistoryFilter, isMissed } from '../call-history.ts';
import { Icon, type IconName } from '../icon.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { CallPlayer } from './call-player.tsx';
import { closeListening, listenTo, openListening } from './listening.ts';
import { formatWhen } from './when.ts';
import { words } from './words.ts';

export function RecentScreen({ model }: { readonly model: SoftphoneModel }) {
  const { history } = model;
  const filter = history.filter.value;
  const calls = history.shown.value;
  const status = history.status.value;
  const unlogged = history.unlogged.value;
  const listening = openListening.value;
  if (listening !== null)
    return <CallPlayer key={listening.callId} model={model} listening={listening} close={closeListening} />;
  // Shown while there is something to do, and while it is chosen.
  const kinds: readonly HistoryFilter[] = [
    'all',
    'missed',
    ...(unlogged > 0 || filter === 'unlogged' ? (['unlogged'] as const) : []),
  ];
  return (
    <div class="recent">
      <fieldset class="filter" aria-label={words.filterLabel}>
        {kinds.map((kind) => (
          <button
            key={kind}
            type="button"
            class="filter-button"
            aria-pressed={filter === kind}
            onClick={() => history.setFilter(kind)}
          >
            {kind === 'all' ? words.filterAll : kind === 'missed' ? words.filterMissed : words.filterUnlogged(unlogged)}
          </button>
        ))}
      </fieldset>
      {status === 'failed' && (
        <p class="recent-note">
          {history.problem.value}{' '}
          <button type="button" class="button-link" onClick={() => void history.reload()}>
            {words.reload}
          </button>
        </p>
      )}
      {calls.length === 0 && status !== 'failed' && (
        <p class="recent-note">
          {status === 'loading'
            ? words.historyLoading
            : filter === 'all'
              ? words.recentEmpty
              : filter === 'missed'
                ? words.missedEmpty
                : words.unloggedEmpty}
        </p>
      )}
      <ul class="recent-list" aria-label={words.recentLabel}>
        {calls.map((call) => (
          <RecentCall key={call.callId} model={model} call={call} />
        ))}
      </ul>
    </div>
  );
}

function RecentCall({ model, call }: { readonly model: SoftphoneModel; readonly call: CallSummary }) {
  const numbers = model.numbers.value;
  const name = call.record?.name ?? numbers.nameOf(call.farSide);
  const missed = isMissed(call);
  const icon: IconName = missed ? 'missed' : call.direction;
  const outcome =
    call.talkMs > 0 ? formatDuration(call.talkMs) : call.outcome === null ? '' : words.outcomes[call.outcome];
  const withheld = call.farSide.number === '' && call.farSide.e164 === undefined;
  return (
    <li class="recent-item">
      <span class={missed ? 'recent-icon is-missed' : 'recent-icon'}>
        <Icon name={icon} size={18} />
        <span class="unseen">{call.direction === 'inbound' ? words.inbound : words.outbound}</span>
      </span>
      <span class="recent-words">
        <bdi class={missed ? 'recent-name is-missed' : 'recent-name'}>{name}</bdi>
        <span class="recent-facts digits">
          <time dateTime={new Date(call.startedAt).toISOString()}>{formatWhen(call.startedAt, Date.now())}</time>
          {outcome !== '' && ` · ${outcome}`}
        </span>
        {call.log === 'failed' && (
          <span class="recent-log is-problem">
            {words.logFailed(call.logReason ?? '')}{' '}
            <button
              type="button"
              class="button-link"
              aria-label={words.retryLogOf(name)}
              onClick={() => void model.history.retryLog(call)}
            >
              {words.retryLog}
            </button>
          </span>
        )}
        {call.recording === 'making' && <span class="recent-log">{words.recordingMaking}</span>}
        {call.log === 'waiting' && <span class="recent-log">{words.logWaiting}</span>}
      </span>
      {call.recording === 'ready' && (
        <button
          type="button"
          class="button-icon"
          aria-label={words.listen(name)}
          title={words.listen(name)}
          onClick={() => listenTo(model, call.callId)}
        >
          <Icon name="resume" />
        </button>
      )}
      {!withheld && (
        <button
          type="button"
          class="button-icon is-call"
          aria-label={words.callBack(name)}
          title={words.callBack(name)}
          onClick={() => void model.redial(call)}
        >
          <Icon name="call" />
        </button>
      )}
    </li>
  );
}
