/**
 * The call in the phone, beside the record: state and transcript lines as the phone's channel tells them, and buttons that ask the phone.
 * Knows only what the channel says: the phone decides whether it does what a button asks, and its refusal is shown.
 */

import PHONE from '@salesforce/messageChannel/Patchcord_Phone__c';
import { clock } from 'c/patchcordWords';
import { APPLICATION_SCOPE, MessageContext, publish, subscribe, unsubscribe } from 'lightning/messageService';
import { api, LightningElement, wire } from 'lwc';
import { allowedIn, callsIn } from './phoneState';
import { gapSeconds, isHit, isLine, withHit, withLine } from './spokenLines';
import { texts } from './texts';

/** How long the phone may take to answer, in ms. */
const PATIENCE = 4000;
/** Distance from the end, in pixels, at which a reader still follows. */
const NEAR = 24;

export default class PatchcordLiveCall extends LightningElement {
  /** Shows the call alone, without what is said. */
  @api withoutTranscript = false;

  texts = texts;
  phone = null;
  silent = false;
  refusal = '';
  now = Date.now();
  lines = {};
  hits = {};
  following = true;
  asked = new Map();

  @wire(MessageContext)
  messageContext;

  connectedCallback() {
    this.subscription = subscribe(this.messageContext, PHONE, (message) => this.hear(message?.news), {
      scope: APPLICATION_SCOPE,
    });
    this.ask({ command: 'sync' });
  }

  disconnectedCallback() {
    unsubscribe(this.subscription);
    this.subscription = null;
    clearInterval(this.ticking);
    this.ticking = undefined;
    for (const waiting of this.asked.values()) clearTimeout(waiting);
    this.asked.clear();
  }

  renderedCallback() {
    const box = this.template.querySelector('.lines');
    if (box && this.following) box.scrollTop = box.scrollHeight;
  }

  get isConnecting() {
    return this.phone === null && !this.silent;
  }

  get isNotOpen() {
    return this.phone === null && this.silent;
  }

  get isOffline() {
    return this.phone?.phone === 'offline' && !this.hasCalls;
  }

  get hasCalls() {
    return (this.phone?.calls ?? []).length > 0;
  }

  get hasNone() {
    return this.phone !== null && this.phone.phone !== 'offline' && !this.hasCalls;
  }

  get isAway() {
    return this.hasNone && this.phone.available === false;
  }

  get calls() {
    return (this.phone?.calls ?? []).map((call) => {
      const running = call.phase === 'active';
      const { allowed } = this.phone;
      const incoming = call.phase === 'incoming';
      const ends = call.phase === 'ended' || call.phase === 'ending';
      const mayControl = allowed.has('control');
      // Unmuting opens the microphone, as answering does.
      const mayMute = call.muted ? allowed.has('answer') : mayControl;
      const talked = call.answeredAt > 0;
      const from = talked ? call.answeredAt : call.startedAt;
      const until = call.endedAt > 0 ? call.endedAt : this.now;
      return {
        ...call,
        who: call.name || call.number || texts.unknown,
        phone: call.name ? call.number : '',
        phaseText: running && call.held ? texts.held : (texts.phases[call.phase] ?? call.phase),
        timer: from > 0 ? clock((until - from) / 1000) : '',
        mayAnswer: incoming && allowed.has('answer'),
        mayHold: running && mayControl,
        mayMute: running && mayMute,
        unmuteThere: running && call.muted && !mayMute && mayControl,
        mayHangUp: mayControl && !ends,
        hangUp: incoming ? texts.decline : texts.hangUp,
        hold: call.held ? texts.resume : texts.hold,
        holdIcon: call.held ? 'utility:play' : 'utility:pause',
        holdCommand: call.held ? 'resume' : 'hold',
        mute: call.muted ? texts.unmute : texts.mute,
        muteIcon: call.muted ? 'utility:volume_off' : 'utility:unmuted',
        muteCommand: call.muted ? 'unmute' : 'mute',
        several: call.matches > 1 && !call.recordId ? texts.several(call.matches) : '',
        className: `call call_${running && call.held ? 'held' : call.phase}`,
      };
    });
  }

  /** The call whose words are shown: the one that is going on, else the last. */
  get spokenCall() {
    const calls = this.phone?.calls ?? [];
    return calls.find((call) => call.phase === 'active' && !call.held) ?? calls[0];
  }

  get showsTranscript() {
    return !this.withoutTranscript && Boolean(this.spokenCall) && this.spokenCall.answeredAt > 0;
  }

  get spoken() {
    const farSide = this.spokenCall?.name || texts.farSide;
    return (this.lines[this.spokenCall?.id] ?? []).map((line) => ({
      key: `${line.speaker}-${line.line}`,
      // Not words but their absence: whoever reads must not take two lines for one talk.
      gap: line.gap === undefined ? '' : texts.notHeard(gapSeconds(line), line.gap),
      text: line.text,
      speaker: line.speaker === 'agent' ? this.phone.agent || texts.agent : farSide,
      time: clock(line.startMs / 1000),
      partial: !line.final,
      className: line.gap ? 'gap' : `line line_${line.speaker}${line.final ? '' : ' line_partial'}`,
    }));
  }

  /** Phrases heard in the call that is shown, the newest last. */
  get phrases() {
    const farSide = this.spokenCall?.name || texts.farSide;
    return (this.hits[this.spokenCall?.id] ?? []).map((hit) => ({
      key: `${hit.rule} ${hit.speaker} ${hit.startMs}`,
      label: hit.label,
      // Blanks of their own: between elements none is left.
      by: ` (${hit.speaker === 'agent' ? this.phone.agent || texts.agent : farSide}, ${clock(hit.startMs / 1000)})`,
      severity: texts.severities[hit.severity] ? `${texts.severities[hit.severity]}: ` : '',
      className: `hit hit_${texts.severities[hit.severity] ? hit.severity : 'info'}`,
    }));
  }

  get hasPhrases() {
    return this.phrases.length > 0;
  }

  get hasLines() {
    return this.spoken.length > 0;
  }

  get isBehind() {
    return this.hasLines && !this.following;
  }

  hear(news) {
    if (news?.type === 'state' && Array.isArray(news.calls)) this.hearState(news);
    else if (news?.type === 'transcript' && typeof news.call === 'string' && isLine(news))
      this.lines = { ...this.lines, [news.call]: withLine(this.lines[news.call] ?? [], news) };
    else if (news?.type === 'phrase' && typeof news.call === 'string' && isHit(news))
      this.hits = { ...this.hits, [news.call]: withHit(this.hits[news.call] ?? [], news) };
    else if (news?.type === 'result') this.hearResult(news);
  }

  hearState(state) {
    const calls = callsIn(state.calls);
    this.phone = {
      phone: state.phone,
      available: state.available,
      agent: typeof state.agent === 'string' ? state.agent : '',
      allowed: allowedIn(state.allowed),
      calls,
    };
    this.now = Date.now();
    // Whatever was asked, the phone is there: a sync needs no other answer.
    this.silent = false;
    const known = new Set(calls.map((call) => call.id));
    const ofKnown = (all) => Object.fromEntries(Object.entries(all).filter(([id]) => known.has(id)));
    this.lines = ofKnown(this.lines);
    this.hits = ofKnown(this.hits);
    if (calls.length === 0) this.refusal = '';
    const counts = calls.some((call) => call.endedAt === 0);
    if (counts && this.ticking === undefined)
      // A clock ticks: there is nothing to wait for instead.
      // eslint-disable-next-line @lwc/lwc/no-async-operation
      this.ticking = setInterval(() => {
        this.now = Date.now();
      }, 1000);
    if (!counts) {
      clearInterval(this.ticking);
      this.ticking = undefined;
    }
  }

  hearResult(result) {
    if (!this.asked.has(result.id)) return;
    clearTimeout(this.asked.get(result.id));
    this.asked.delete(result.id);
    this.refusal = result.ok ? '' : `${texts.refused} ${result.reason ?? ''}`.trim();
  }

  ask(wish) {
    // Other tabs and components ask over the same channel: an id must be nobody else's.
    const id = crypto.randomUUID();
    this.asked.set(
      id,
      // Silence is the absence of an event.
      // eslint-disable-next-line @lwc/lwc/no-async-operation
      setTimeout(() => {
        this.asked.delete(id);
        if (wish.command === 'sync') this.silent = this.phone === null;
        else this.refusal = texts.noAnswer;
      }, PATIENCE),
    );
    publish(this.messageContext, PHONE, { command: { ...wish, id } });
  }

  handleCommand(event) {
    const { call, command } = event.currentTarget.dataset;
    this.refusal = '';
    this.ask({ command, call });
  }

  handleScroll(event) {
    const box = event.currentTarget;
    this.following = box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR;
  }

  handleNewest() {
    this.following = true;
    // The button that had the focus is about to go.
    this.template.querySelector('.lines').focus();
  }
}
