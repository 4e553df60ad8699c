/**
 * The player of a call's recording: both sides as one sees and hears them, and the words that go with them. Owns where one is, how fast, and whose
 * voice is heard; plays on the speaker chosen for calls and never by itself.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import type { PlayerModel } from '../panel.ts';
import { formatDuration } from '../parts/call-timer.tsx';
import { ChannelSide } from './channel-side.tsx';
import { type ChannelSound, openChannels } from './channel-sound.ts';
import type { OpenListening, Ready } from './listening.ts';
import { pastSilence, silencesOf } from './silence.ts';
import { soundSettingsOf } from './sound-settings.ts';
import { SpokenWords } from './spoken-words.tsx';
import { Waveform } from './waveform.tsx';
import { formatWhen } from './when.ts';
import { words } from './words.ts';

const stepMs = 5_000;
const speeds = [1, 1.5, 2] as const;
/** A link with less life than this is renewed before it is used. */
const linkMarginMs = 10_000;
/** A fresh link that fails within this time has not ended. */
const renewedMs = 10_000;

export function CallPlayer({
  model,
  listening,
  close,
}: {
  readonly model: PlayerModel;
  readonly listening: OpenListening;
  /** Absent: there is nothing else on this page. */
  readonly close?: () => void;
}) {
  const state = listening.state.value;
  return (
    <section class="player" aria-labelledby="patchcord-player">
      <div class="help-head">
        <h2 class="stage-title" id="patchcord-player">
          {words.playerTitle}
        </h2>
        {close !== undefined && (
          <button
            type="button"
            class="button-icon"
            aria-label={words.playerClose}
            title={words.playerClose}
            onClick={close}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      {state.kind === 'ready' ? (
        <Deck model={model} listening={listening} recording={state.recording} />
      ) : (
        <div class="recent-note">
          <p role={state.kind === 'broken' || state.kind === 'refused' ? 'alert' : 'status'}>
            {state.kind === 'loading'
              ? words.playerLoading
              : state.kind === 'making'
                ? words.playerMaking
                : state.message}
          </p>
          {state.kind === 'broken' && (
            <button type="button" class="button" onClick={() => void listening.load()}>
              {words.playerAgain}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

function Deck({
  model,
  listening,
  recording,
}: {
  readonly model: PlayerModel;
  readonly listening: OpenListening;
  readonly recording: Ready;
}) {
  const { durationMs, channels, speakers, peaks, pauses, call } = recording;
  const audio = useRef<HTMLAudioElement>(null);
  const sound = useRef<ChannelSound | null>(null);
  const link = useRef({ endsAt: recording.expiresAt, isRenewing: false, renewedAt: Number.NEGATIVE_INFINITY });
  const atMs = useSignal(0);
  const isPlaying = useSignal(false);
  const speed = useSignal<number>(1);
  const skips = useSignal(false);
  const silent = useSignal<readonly boolean[]>([]);
  const trouble = useSignal('');
  const audible = Array.from({ length: channels }, (_, channel) => silent.value[channel] !== true);
  const heard = (peaks ?? []).filter((_, channel) => audible[channel] === true);
  const silences = skips.value ? silencesOf(heard, durationMs) : [];
  // The agent above, whichever channel has them.
  const order = channels === 2 && speakers[0] === 'far-side' ? [1, 0] : Array.from({ length: channels }, (_, n) => n);
  const speaker = model.sound === null ? undefined : soundSettingsOf(model.sound).devices.value?.speaker;

  function seek(ms: number): void {
    const to = Math.min(durationMs, Math.max(0, ms));
    atMs.value = to;
    if (audio.current !== null) audio.current.currentTime = to / 1_000;
  }

  /** Goes on in the same place with a link that has not ended. */
  async function renewLink(goOn: boolean): Promise<void> {
    const element = audio.current;
    if (element === null || link.current.isRenewing) return;
    const here = atMs.value;
    trouble.value = '';
    link.current.isRenewing = true;
    const fresh = await listening.afresh();
    link.current.isRenewing = false;
    if (fresh === null) return;
    link.current = { endsAt: fresh.expiresAt, isRenewing: false, renewedAt: performance.now() };
    element.src = fresh.url;
    element.currentTime = here / 1_000;
    element.playbackRate = speed.value;
    if (goOn) await element.play().catch(() => undefined);
  }

  async function toggle(): Promise<void> {
    const element = audio.current;
    if (element === null) return;
    if (!element.paused) {
      element.pause();
      return;
    }
    trouble.value = '';
    sound.current ??= openChannels(element, channels, speaker);
    sound.current.hear(audible);
    if (atMs.value >= durationMs - 50) seek(0);
    if (element.error !== null || link.current.endsAt - Date.now() < linkMarginMs) return renewLink(true);
    await element.play().catch(() => undefined);
  }

  const tick = useRef(() => {});
  tick.current = () => {
    const element = audio.current;
    if (element === null || link.current.isRenewing) return;
    const now = element.currentTime * 1_000;
    const past = element.paused ? null : pastSilence(silences, now);
    if (past === null) atMs.value = now;
    else seek(past);
  };
  useEffect(() => {
    // Which speaker was chosen is known once somebody asked.
    if (model.sound !== null) void soundSettingsOf(model.sound).load();
    // Ten times a second is often enough for the eye and for a silence; a page in the background may be slower.
    const timer = setInterval(() => {
      if (isPlaying.value) tick.current();
    }, 100);
    const element = audio.current;
    return () => {
      clearInterval(timer);
      element?.pause();
      sound.current?.close();
    };
  }, []);
  function mute(channel: number): void {
    silent.value = audible.map((is, n) => (n === channel ? is : !is));
    sound.current?.hear(silent.value.map((is) => !is));
  }

  /** Hears one side alone, or both again. */
  function only(channel: number): void {
    const isAlone = audible.every((is, n) => is === (n === channel));
    silent.value = audible.map((_, n) => !isAlone && n !== channel);
    sound.current?.hear(silent.value.map((is) => !is));
  }

  function press(event: KeyboardEvent): void {
    const on = event.target as HTMLElement;
    const isButton = on.closest('button, select, input') !== null;
    const steps: Record<string, () => void> = {
      ArrowLeft: () => seek(atMs.value - stepMs),
      ArrowRight: () => seek(atMs.value + stepMs),
      Home: () => seek(0),
      End: () => seek(durationMs),
      ...(isButton ? {} : { ' ': () => void toggle() }),
    };
    const act = Object.hasOwn(steps, event.key) ? steps[event.key] : undefined;
    if (act === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  const names = { agent: call.agent, 'far-side': call.farSide || words.playerFarSide } as const;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys work wherever one is in the player; each has its own control, too
    <div class="player-deck" onKeyDown={press}>
      <p class="recent-facts">
        {names.agent} · <bdi>{names['far-side']}</bdi> · {formatWhen(call.startedAt, Date.now())}
      </p>
      <div class="player-waves">
        {channels === 2 && (
          <div class="player-sides">
            {order.map((channel) => (
              <ChannelSide
                key={channel}
                name={speakers[channel] === 'agent' ? words.playerAgent : words.playerFarSide}
                isHeard={audible[channel] === true}
                isAlone={audible.every((is, n) => is === (n === channel))}
                mute={() => mute(channel)}
                only={() => only(channel)}
              />
            ))}
          </div>
        )}
        <Waveform recording={recording} audible={audible} order={order} atMs={atMs.value} seek={seek} />
      </div>
      <div class="player-acts">
        <button
          type="button"
          class="button player-play"
          aria-label={isPlaying.value ? words.playerPause : words.playerPlay}
          title={isPlaying.value ? words.playerPause : words.playerPlay}
          onClick={() => void toggle()}
        >
          <Icon name={isPlaying.value ? 'hold' : 'resume'} />
        </button>
        <span class="digits player-time">
          {formatDuration(atMs.value)} / {formatDuration(durationMs)}
        </span>
        <span class="filter player-speeds">
          {speeds.map((one) => (
            <button
              key={one}
              type="button"
              class="filter-button digits"
              aria-label={words.playerSpeed(one)}
              aria-pressed={speed.value === one}
              onClick={() => {
                speed.value = one;
                if (audio.current !== null) audio.current.playbackRate = one;
              }}
            >
              {one}×
            </button>
          ))}
        </span>
      </div>
      {peaks !== null && (
        <label class="voice-switch">
          <input type="checkbox" checked={skips.value} onChange={() => (skips.value = !skips.value)} />
          {words.playerSkip}
        </label>
      )}
      {pauses.length > 0 && (
        <p class="recent-facts digits">
          {words.playerPauses(
            pauses.map(({ startMs, endMs }) => `${formatDuration(startMs)} – ${formatDuration(endMs)}`).join(', '),
          )}
        </p>
      )}
      {trouble.value !== '' && (
        <p class="number-says is-problem" role="alert">
          {trouble.value}{' '}
          <button type="button" class="button-link" onClick={() => void renewLink(true)}>
            {words.playerAgain}
          </button>
        </p>
      )}
      {/* biome-ignore lint/a11y/useMediaCaption: what was said stands below, where it was written down */}
      <audio
        ref={audio}
        preload="metadata"
        src={recording.url}
        onPlay={() => (isPlaying.value = true)}
        onPause={() => (isPlaying.value = false)}
        onSeeked={() => tick.current()}
        onError={() => {
          // Once by itself: the link may have ended. Soon after that a person decides.
          if (performance.now() - link.current.renewedAt > renewedMs) void renewLink(isPlaying.value);
          else trouble.value = words.playerGone;
        }}
      />
      <SpokenWords listening={listening} names={names} atMs={atMs.value} seek={seek} />
    </div>
  );
}
