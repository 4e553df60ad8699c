/**
 * The recording of one call and its transcript: the transcript follows the sound, a click on a line moves the sound there, a search keeps
 * the lines that have the words. Must never play by itself.
 */

import transcriptOf from '@salesforce/apex/PatchcordCallHistory.transcriptOf';
import { clock, reasonOf } from 'c/patchcordWords';
import { api, LightningElement } from 'lwc';
import { texts } from './texts';
import { linesOf, piecesOf } from './transcriptLines';

const SPEEDS = ['0.75', '1', '1.25', '1.5', '2'];
const STEP_SECONDS = 10;

export default class PatchcordRecording extends LightningElement {
  /** The Patchcord Call. */
  @api callId;
  /** Where the sound is; empty when nothing was recorded. */
  @api recordingUrl;

  texts = texts;
  lost = false;
  speed = '1';
  at = 0;
  sought = '';
  loading = true;
  problem = '';
  lines = [];

  async connectedCallback() {
    try {
      this.lines = linesOf(await transcriptOf({ callId: this.callId }));
    } catch (error) {
      this.problem = `${texts.failed} ${reasonOf(error)}`;
    }
    this.loading = false;
  }

  get hasPlayer() {
    return Boolean(this.recordingUrl) && !this.lost;
  }

  get speeds() {
    return SPEEDS.map((value) => ({ value, label: `${value}×`, chosen: value === this.speed }));
  }

  get hasTranscript() {
    return this.lines.length > 0;
  }

  get isWithout() {
    return !this.loading && this.problem === '' && this.lines.length === 0;
  }

  get matching() {
    const wanted = this.sought.trim().toLowerCase();
    return wanted === '' ? this.lines : this.lines.filter((line) => line.text.toLowerCase().includes(wanted));
  }

  get foundText() {
    if (this.sought.trim() === '') return '';
    return this.matching.length === 0 ? texts.nothingFound : texts.found(this.matching.length);
  }

  get shownLines() {
    const current = this.currentKey;
    return this.matching.map((line) => ({
      ...line,
      time: line.at === null ? '' : clock(line.at),
      label: line.at === null ? '' : `Play from ${clock(line.at)}`,
      canSeek: line.at !== null && this.hasPlayer,
      current: line.key === current ? 'true' : null,
      className: line.key === current ? 'line line_current' : 'line',
      pieces: piecesOf(line.text, this.sought),
    }));
  }

  /** The last line that began before the place the sound is at; none before it was played. */
  get currentKey() {
    if (!this.hasPlayer || this.at === 0) return -1;
    return this.lines.reduce((found, line) => (line.at !== null && line.at <= this.at ? line.key : found), -1);
  }

  get player() {
    return this.template.querySelector('audio');
  }

  handleTime() {
    const before = this.currentKey;
    this.at = this.player.currentTime;
    if (this.currentKey !== before) this.follow = true;
  }

  renderedCallback() {
    if (!this.follow) return;
    this.follow = false;
    const box = this.template.querySelector('.lines');
    const line = this.template.querySelector('.line_current');
    // Only the box moves: scrolling the page away under a reader would be worse than a hidden line.
    if (box && line) box.scrollTop = line.offsetTop - box.offsetTop - box.clientHeight / 3;
  }

  handleLost() {
    this.lost = true;
  }

  handleSpeed(event) {
    this.speed = event.target.value;
    this.player.playbackRate = Number(this.speed);
  }

  handleBack() {
    this.seek(this.player.currentTime - STEP_SECONDS);
  }

  handleAhead() {
    this.seek(this.player.currentTime + STEP_SECONDS);
  }

  handleLine(event) {
    this.seek(Number(event.currentTarget.dataset.at));
  }

  handleSearch(event) {
    this.sought = event.target.value;
  }

  seek(seconds) {
    const { player } = this;
    const end = Number.isFinite(player.duration) ? player.duration : seconds;
    player.currentTime = Math.max(0, Math.min(seconds, end));
    this.handleTime();
  }
}
