/**
 * The team's day for its manager: what each agent did, sortable, who was missed and not called back, what rules heard. Reads once and on request; must
 * never reckon a day in another zone than the user's.
 */

import today from '@salesforce/apex/PatchcordBoard.today';
import { duration, moment, reasonOf, timeOfDay, zone } from 'c/patchcordWords';
import { LightningElement } from 'lwc';
import { texts } from './texts';

const COLUMNS = ['name', 'calls', 'answered', 'missed', 'talkSeconds', 'averageSeconds', 'wrapUpSince'];

export default class PatchcordBoard extends LightningElement {
  texts = texts;
  day = null;
  readAt = null;
  problem = '';
  loading = true;
  sortedBy = 'calls';
  descending = true;

  async connectedCallback() {
    await this.read();
  }

  get isLoading() {
    return this.loading && this.day === null;
  }

  get isShown() {
    return this.day !== null && this.problem === '';
  }

  get isEmpty() {
    return this.day.agents.length === 0;
  }

  get asOf() {
    return texts.asOf(timeOfDay(this.readAt));
  }

  get sums() {
    const { agents, missed } = this.day;
    const sum = (field) => agents.reduce((total, agent) => total + (agent[field] ?? 0), 0);
    return [
      { key: 'calls', label: texts.sums.calls, value: String(sum('calls')), className: 'sum' },
      { key: 'answered', label: texts.sums.answered, value: String(sum('answered')), className: 'sum' },
      { key: 'missed', label: texts.sums.missed, value: String(sum('missed')), className: 'sum' },
      {
        key: 'talk',
        label: texts.sums.talk,
        value: duration(Math.round(sum('talkSeconds') / 60) * 60),
        className: 'sum',
      },
      {
        key: 'open',
        label: texts.sums.open,
        value: String(missed.length),
        className: missed.length > 0 ? 'sum sum_open' : 'sum',
      },
    ];
  }

  get columns() {
    return COLUMNS.map((key) => {
      const sorted = key === this.sortedBy;
      const way = this.descending ? 'descending' : 'ascending';
      return {
        key,
        label: texts.columns[key],
        sorted: sorted ? way : 'none',
        icon: this.descending ? 'utility:arrowdown' : 'utility:arrowup',
        isSorted: sorted,
        className: key === 'name' ? 'head' : 'head head_number',
      };
    });
  }

  get rows() {
    const way = this.descending ? -1 : 1;
    return [...this.day.agents]
      .sort((one, other) => way * this.compared(one, other) || one.name.localeCompare(other.name))
      .map((agent) => ({
        key: agent.agentId ?? 'nobody',
        name: agent.name,
        cells: [
          { key: 'calls', text: String(agent.calls) },
          { key: 'answered', text: String(agent.answered) },
          { key: 'missed', text: String(agent.missed), className: agent.missed > 0 ? 'cell cell_bad' : 'cell' },
          { key: 'talk', text: duration(agent.talkSeconds) },
          { key: 'average', text: agent.answered > 0 ? duration(agent.averageSeconds) : '–' },
          { key: 'wrapUp', text: this.wrapUpOf(agent) },
        ].map((cell) => ({ className: 'cell', ...cell })),
      }));
  }

  get missed() {
    return this.day.missed.map((caller) => ({
      ...caller,
      key: caller.callId,
      who: caller.name || texts.withheld,
      last: moment(caller.missedAt),
    }));
  }

  /** An org whose Apex is older tells of none. */
  get heard() {
    return (this.day.heard ?? []).map((call) => ({
      ...call,
      key: call.callId,
      who: call.name || call.phone || texts.withheld,
      time: moment(call.startedAt),
      lines: String(call.phrases)
        .split(/\r?\n/)
        .filter((line) => line.trim() !== '')
        .map((text, key) => ({
          key,
          text,
          className: text.startsWith('Not heard:') ? 'phrase phrase_missed' : 'phrase',
        })),
    }));
  }

  get hasHeard() {
    return this.heard.length > 0;
  }

  get hasMissed() {
    return this.day.missed.length > 0;
  }

  async read() {
    this.loading = true;
    try {
      this.day = await today({ zone: zone ?? '' });
      this.readAt = Date.now();
      this.problem = '';
    } catch (error) {
      this.problem = reasonOf(error);
    }
    this.loading = false;
  }

  compared(one, other) {
    if (this.sortedBy === 'name') return one.name.localeCompare(other.name);
    // The longest wrap-up is the one that began first.
    if (this.sortedBy === 'wrapUpSince') return this.waited(one) - this.waited(other);
    return one[this.sortedBy] - other[this.sortedBy];
  }

  waited(agent) {
    return agent.wrapUpSince ? this.readAt - Date.parse(agent.wrapUpSince) : -1;
  }

  wrapUpOf(agent) {
    return agent.wrapUpSince ? texts.wrapUps(duration(this.waited(agent) / 1000), agent.wrapUps) : texts.noWrapUp;
  }

  async handleRefresh() {
    await this.read();
  }

  handleSort(event) {
    const { key } = event.currentTarget.dataset;
    this.descending = key === this.sortedBy ? !this.descending : key !== 'name';
    this.sortedBy = key;
  }
}
