/**
 * The agent's messages, newest first: listen, read, call back, delete. Where the relay has none of them: how many wait at the phone system, and
 * the way there. Owns the player, which plays on the speaker chosen for calls and never by itself.
 */
import type { Voicemail } from '@patchcord/call-protocol';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { isRecord } from '../record-evidence.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { soundSettingsOf } from './sound-settings.ts';
import { formatWhen } from './when.ts';
import { words } from './words.ts';

export function VoicemailScreen({ model }: { readonly model: SoftphoneModel }) {
  const settings = model.features.value.voicemail;
  const listed = settings?.listed === true;
  return (
    <div class="voicemail">
      {listed ? <Messages model={model} /> : <Waiting model={model} />}
      {settings?.number != null && (
        <p class="voicemail-foot">
          <button
            type="button"
            class={listed ? 'button' : 'button button-call'}
            onClick={() => void model.redial({ farSide: { number: settings.number ?? '' }, record: null })}
          >
            <Icon name="call" size={18} />
            {words.callMailbox}
          </button>
        </p>
      )}
    </div>
  );
}

/** The phone system alone has the messages. */
function Waiting({ model }: { readonly model: SoftphoneModel }) {
  const { mailbox, featureTrouble } = model.phone.value;
  const { unheard } = model.voicemail;
  const told =
    mailbox === null
      ? model.features.value.voicemail?.watched === true
        ? featureTrouble || words.mailboxUnknown
        : ''
      : mailbox.newMessages + mailbox.oldMessages > 0
        ? words.mailboxSays(mailbox.newMessages, mailbox.oldMessages)
        : unheard.value === 0
          ? words.mailboxEmpty
          : '';
  return (
    <div class="recent-note">
      {unheard.value > 0 && <p class="voicemail-count">{words.newMessages(unheard.value)}</p>}
      <p role="status">{told}</p>
      <p>{words.mailboxOnly}</p>
    </div>
  );
}

function Messages({ model }: { readonly model: SoftphoneModel }) {
  const { messages, status, problem, undo } = model.voicemail;
  const removed = undo.value;
  useEffect(() => {
    // Which speaker was chosen is known once somebody asked: before the first message plays.
    if (model.sound !== null) void soundSettingsOf(model.sound).load();
  }, [model]);
  return (
    <>
      <div role="status">
        {removed !== null && (
          <p class="quiet-line">
            <span>{words.removed(nameOfMessage(model, removed))}</span>
            <button type="button" class="button-link" onClick={() => void model.voicemail.takeBack()}>
              {words.undo}
            </button>
          </p>
        )}
      </div>
      {status.value === 'failed' && (
        <p class="recent-note" role="status">
          {problem.value}{' '}
          <button type="button" class="button-link" onClick={() => void model.voicemail.reload()}>
            {words.reload}
          </button>
        </p>
      )}
      {messages.value.length === 0 && status.value !== 'failed' && (
        <p class="recent-note">{status.value === 'ready' ? words.voicemailEmpty : words.voicemailLoading}</p>
      )}
      <ul class="recent-list" aria-label={words.voicemailLabel}>
        {messages.value.map((message) => (
          <Message key={message.id} model={model} message={message} />
        ))}
      </ul>
    </>
  );
}

function Message({ model, message }: { readonly model: SoftphoneModel; readonly message: Voicemail }) {
  const name = nameOfMessage(model, message);
  const number = model.numbers.value.numberOf(message.from);
  const record = onlyRecord(message);
  const { playing } = model.voicemail;
  const open = playing.value?.id === message.id;
  const withheld = message.from.number === '' && message.from.e164 === undefined;
  const toggle = open ? words.closePlayer(name) : words.play(name);
  return (
    <li class="recent-item is-message">
      <button
        type="button"
        class={message.heard ? 'button-icon' : 'button-icon is-new'}
        aria-label={toggle}
        title={toggle}
        aria-expanded={open}
        onClick={() => void model.voicemail.play(message)}
      >
        <Icon name={open ? 'close' : 'resume'} />
      </button>
      <span class="recent-words">
        <bdi class={message.heard ? 'recent-name is-heard' : 'recent-name'}>{name}</bdi>
        <span class="recent-facts digits">
          {!message.heard && <span class="is-due">{words.isNew} · </span>}
          <time dateTime={new Date(message.at).toISOString()}>{formatWhen(message.at, Date.now())}</time>
          {` · ${formatDuration(message.durationMs)}`}
          {number !== name && (
            <>
              {' · '}
              <bdi class="voicemail-number">{number}</bdi>
            </>
          )}
        </span>
      </span>
      <button
        type="button"
        class="button-icon"
        aria-label={words.remove(name)}
        title={words.remove(name)}
        onClick={() => void model.voicemail.remove(message)}
      >
        <Icon name="remove" size={18} />
      </button>
      {!withheld && (
        <button
          type="button"
          class="button-icon is-call"
          aria-label={words.callBack(name)}
          title={words.callBack(name)}
          onClick={() => void model.redial({ farSide: message.from, record })}
        >
          <Icon name="call" />
        </button>
      )}
      {open && <Player model={model} message={message} name={name} />}
      <Said message={message} open={open} />
    </li>
  );
}

/** As much as two lines of a narrow panel hold, so that a list is read over at a glance. */
function beginningOf(text: string): string {
  const most = 90;
  if (text.length <= most) return text;
  const cut = text.slice(0, most);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), most - 20)).trim()}…`;
}

/** What was said, as it was written down, or why there is nothing to read. */
function Said({ message, open }: { readonly message: Voicemail; readonly open: boolean }) {
  const { text, noText } = message;
  if (text !== null && text !== '') {
    const beginning = beginningOf(text);
    if (beginning === text)
      return (
        <p class="voicemail-text" dir="auto">
          {text}
        </p>
      );
    return (
      <details class="voicemail-text" open={open}>
        <summary aria-label={words.said} dir="auto">
          {beginning}
        </summary>
        <p dir="auto">{text}</p>
      </details>
    );
  }
  if (noText === undefined) return null;
  return (
    <p class="voicemail-text quiet">
      {noText === 'waiting' ? words.beingWritten : noText === 'none' ? words.noWords : words.notWritten(noText)}
    </p>
  );
}

/** The browser's own player: it seeks, it is worked by keyboard, a screen reader knows it. The click that opened it is the word to play. */
function Player({
  model,
  message,
  name,
}: {
  readonly model: SoftphoneModel;
  readonly message: Voicemail;
  readonly name: string;
}) {
  const audio = useRef<HTMLAudioElement>(null);
  const gone = useSignal(false);
  const url = model.voicemail.playing.value?.url ?? '';
  const speaker = model.sound === null ? undefined : soundSettingsOf(model.sound).devices.value?.speaker;
  useEffect(() => {
    const element = audio.current;
    if (url === '' || element === null) return;
    const onSpeaker = speaker === undefined ? undefined : element.setSinkId?.(speaker);
    // Whatever becomes of either, the controls are there.
    void Promise.resolve(onSpeaker)
      .catch(() => undefined)
      .then(() => element.play())
      .catch(() => undefined);
    return () => element.pause();
  }, [url, speaker]);
  if (url === '')
    return (
      <p class="voicemail-player quiet" role="status">
        {words.gettingSound}
      </p>
    );
  return (
    <div class="voicemail-player">
      {/* biome-ignore lint/a11y/useMediaCaption: what was said stands below, where something wrote it down */}
      <audio
        ref={audio}
        controls
        controlsList="nodownload noplaybackrate"
        preload="metadata"
        src={url}
        aria-label={words.player(name)}
        onPlaying={() => void model.voicemail.heard(message)}
        onError={() => {
          gone.value = true;
        }}
      />
      {gone.value && (
        <p class="number-says is-problem" role="alert">
          {words.soundGone}
        </p>
      )}
    </div>
  );
}

function onlyRecord({ matches = [] }: Voicemail) {
  const records = matches.filter(isRecord);
  return (records.length === 1 ? records[0]?.record : undefined) ?? null;
}

function nameOfMessage(model: SoftphoneModel, message: Voicemail): string {
  return onlyRecord(message)?.name ?? model.numbers.value.nameOf(message.from);
}
