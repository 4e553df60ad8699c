/**
 * The check of the set-up for the org's admin: what is well, what is not and what to do about it. Looks when it is opened and on request;
 * must never change anything.
 */

import check from '@salesforce/apex/PatchcordSetup.check';
import { reasonOf, timeOfDay } from 'c/patchcordWords';
import { LightningElement } from 'lwc';
import { texts } from './texts';

const ICONS = { good: 'utility:success', bad: 'utility:error', unknown: 'utility:info' };
/** What is to be mended stands first. */
const ORDER = ['bad', 'unknown', 'good'];

export default class PatchcordSetup extends LightningElement {
  texts = texts;
  findings = null;
  readAt = null;
  problem = '';
  loading = true;

  async connectedCallback() {
    await this.read();
  }

  get isLoading() {
    return this.loading && this.findings === null && this.problem === '';
  }

  get isShown() {
    return this.findings !== null && this.problem === '';
  }

  get isEmpty() {
    return this.isShown && this.findings.length === 0;
  }

  get hasFindings() {
    return this.isShown && this.findings.length > 0;
  }

  get asOf() {
    return texts.asOf(timeOfDay(this.readAt));
  }

  get summary() {
    const count = (state) => this.entries.filter((entry) => entry.state === state).length;
    const parts = [
      count('bad') ? texts.bad(count('bad')) : '',
      count('unknown') ? texts.unknown(count('unknown')) : '',
    ];
    return parts.filter(Boolean).join(' ') || texts.allWell;
  }

  get entries() {
    return this.findings
      .map((finding) => {
        const state = ORDER.includes(finding.state) ? finding.state : 'unknown';
        // Two people may have one name.
        const users = (finding.users ?? []).map((name, key) => ({ key, name }));
        return {
          key: finding.what,
          name: texts.names[finding.what] ?? finding.what,
          state,
          stateText: texts.states[state],
          icon: ICONS[state],
          text: finding.text,
          remedy: finding.remedy,
          users,
          hasUsers: users.length > 0,
          className: `finding finding_${state}`,
        };
      })
      .sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));
  }

  async read() {
    this.loading = true;
    try {
      this.findings = (await check()) ?? [];
      this.readAt = Date.now();
      this.problem = '';
    } catch (error) {
      this.problem = reasonOf(error);
    }
    this.loading = false;
  }

  async handleRefresh() {
    await this.read();
  }
}
