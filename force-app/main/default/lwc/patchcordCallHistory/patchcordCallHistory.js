/**
 * The calls with the record of the page, newest first. Reads through Apex, listens on the phone's channel for "a log reached the CRM" and
 * then reads again. Must never write a call.
 */

import { refreshApex } from '@salesforce/apex';
import callsOf from '@salesforce/apex/PatchcordCallHistory.callsOf';
import earlierCalls from '@salesforce/apex/PatchcordCallHistory.earlierCalls';
import PHONE from '@salesforce/messageChannel/Patchcord_Phone__c';
import { duration, moment, reasonOf } from 'c/patchcordWords';
import { APPLICATION_SCOPE, MessageContext, subscribe, unsubscribe } from 'lightning/messageService';
import { api, LightningElement, wire } from 'lwc';
import { callInWords } from './callInWords';
import { heardInWords } from './heardInWords';
import { texts } from './texts';

const MOST_CALLS = 50;

export default class PatchcordCallHistory extends LightningElement {
  /** The record of the page. A console keeps the component and gives it another record. */
  @api
  get recordId() {
    return this.record;
  }
  set recordId(value) {
    if (value === this.record) return;
    this.record = value;
    this.newest = null;
    this.older = [];
    this.olderLeft = null;
    this.problem = '';
    this.moreProblem = '';
    this.openId = '';
  }

  /** How many calls stand in the list before "Load more": 1 to 50. */
  @api
  get callsShown() {
    return this.limit;
  }
  set callsShown(value) {
    this.limit = Math.min(Math.max(1, Math.round(Number(value)) || 5), MOST_CALLS);
  }

  texts = texts;
  record;
  limit = 5;
  newest = null;
  older = [];
  olderLeft = null;
  problem = '';
  moreProblem = '';
  loadingMore = false;
  refreshing = false;
  openId = '';

  @wire(MessageContext)
  messageContext;

  @wire(callsOf, { recordId: '$recordId', limitSize: '$limit' })
  heard(result) {
    // What the wire gave is the key by which it can be asked again.
    this.wired = result;
    if (result.data) {
      this.keepPushedOut(result.data.calls);
      this.newest = result.data;
      this.problem = '';
    } else if (result.error) {
      this.problem = reasonOf(result.error);
    }
  }

  /** New calls push others off the first page; where older ones stand below it, these would be missing between them. */
  keepPushedOut(now) {
    if (this.newest === null || this.older.length === 0) return;
    const shown = new Set(now.map((call) => call.id));
    const gone = this.newest.calls.filter((call) => !shown.has(call.id));
    this.older = [...gone, ...this.older];
  }

  connectedCallback() {
    this.subscription = subscribe(this.messageContext, PHONE, (message) => this.hear(message), {
      scope: APPLICATION_SCOPE,
    });
  }

  disconnectedCallback() {
    unsubscribe(this.subscription);
    this.subscription = null;
  }

  get isLoading() {
    return this.newest === null && this.problem === '';
  }

  get isEmpty() {
    return this.newest !== null && this.problem === '' && this.newest.calls.length === 0;
  }

  get hasCalls() {
    return this.problem === '' && this.calls.length > 0;
  }

  get calls() {
    const first = this.newest?.calls ?? [];
    const known = new Set(first.map((call) => call.id));
    return [...first, ...this.older.filter((call) => !known.has(call.id))];
  }

  get hasMore() {
    return this.problem === '' && (this.olderLeft ?? this.newest?.more ?? false);
  }

  get title() {
    return this.hasCalls ? `${texts.title} (${this.calls.length}${this.hasMore ? '+' : ''})` : texts.title;
  }

  get entries() {
    return this.calls.map((call) => {
      const words = callInWords(call);
      const open = call.id === this.openId;
      const mayOpen = words.spoken || Boolean(call.recordingUrl);
      return {
        ...call,
        ...words,
        who: call.farSideName || (call.phone ? '' : texts.unknown),
        time: moment(call.startedAt),
        startedIso: call.startedAt,
        // Whom to call back is the person, also where the page is the company's, the deal's or the case's.
        dialRecord: call.contactId || this.record,
        ...heardInWords(call),
        length: words.spoken ? duration(call.durationSeconds) : '',
        className: `call call_${words.tone}`,
        mayOpen,
        open,
        expanded: String(open),
        toggle: open ? texts.close : call.recordingUrl ? texts.listen : texts.read,
      };
    });
  }

  async hear(message) {
    if (message?.news?.type === 'logged') await this.refresh();
  }

  async refresh() {
    if (this.wired === undefined || this.refreshing) return;
    this.refreshing = true;
    try {
      await refreshApex(this.wired);
    } catch (error) {
      this.problem = reasonOf(error);
    }
    this.refreshing = false;
  }

  async handleRefresh() {
    await this.refresh();
  }

  async handleMore() {
    const last = this.calls[this.calls.length - 1];
    this.loadingMore = true;
    this.moreProblem = '';
    try {
      const { record } = this;
      const page = await earlierCalls({ recordId: record, limitSize: this.limit, before: last.startedAt });
      if (record !== this.record) return;
      this.older = [...this.older, ...page.calls];
      this.olderLeft = page.more;
    } catch (error) {
      this.moreProblem = `${texts.moreFailed} ${reasonOf(error)}`;
    } finally {
      this.loadingMore = false;
    }
  }

  handleToggle(event) {
    const { id } = event.currentTarget.dataset;
    this.openId = this.openId === id ? '' : id;
  }
}
