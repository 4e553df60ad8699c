/** The lines of a call as they are said: a later line replaces the one it completes. Pure; must never draw. */

/** Lines kept; a call of a day would fill the page otherwise. */
const MOST_LINES = 500;

/**
 * @typedef {object} SpokenLine
 * @property {number} line counts within the call and speaker
 * @property {'agent' | 'far-side'} speaker
 * @property {string} text
 * @property {number} startMs
 * @property {number} [endMs]
 * @property {boolean} final
 * @property {'lost' | 'paused'} [gap] not words but their absence: the sound was lost, or nobody was to hear it
 */

/**
 * @typedef {object} PhraseHit
 * @property {string} rule
 * @property {string} label
 * @property {'info' | 'warning' | 'critical'} severity
 * @property {'agent' | 'far-side'} speaker
 * @property {number} startMs
 */

/** Hits kept of one call. */
const MOST_HITS = 100;

/**
 * @param {SpokenLine[]} lines in the order in which they began
 * @param {SpokenLine} heard
 * @returns {SpokenLine[]} with the line in its place; the oldest go when there are too many
 */
export function withLine(lines, heard) {
  const same = (line) => line.speaker === heard.speaker && line.line === heard.line;
  const before = lines.find(same);
  // Words may arrive out of order: what was final stays.
  if (before?.final && !heard.final) return lines;
  const others = before ? lines.filter((line) => !same(line)) : lines;
  return [...others, heard].sort((one, other) => one.startMs - other.startMs).slice(-MOST_LINES);
}

/**
 * @param {unknown} news
 * @returns {boolean} whether it is a transcript line as the phone sends it
 */
export function isLine(news) {
  return (
    typeof news?.text === 'string' &&
    (news.speaker === 'agent' || news.speaker === 'far-side') &&
    Number.isInteger(news.line) &&
    Number.isFinite(news.startMs)
  );
}

/**
 * How long nobody heard, in whole seconds.
 * @param {SpokenLine} line a gap
 * @returns {number} 1 or more
 */
export function gapSeconds({ startMs, endMs }) {
  return Math.max(1, Math.round(((Number.isFinite(endMs) ? endMs : startMs) - startMs) / 1000));
}

/**
 * @param {unknown} news
 * @returns {boolean} whether it is a phrase that was heard, as the phone sends it
 */
export function isHit(news) {
  return (
    typeof news?.rule === 'string' &&
    typeof news.label === 'string' &&
    news.label !== '' &&
    (news.speaker === 'agent' || news.speaker === 'far-side') &&
    Number.isFinite(news.startMs)
  );
}

/**
 * @param {PhraseHit[]} hits by time
 * @param {PhraseHit} heard
 * @returns {PhraseHit[]} with it, once
 */
export function withHit(hits, heard) {
  const same = (hit) => hit.rule === heard.rule && hit.speaker === heard.speaker && hit.startMs === heard.startMs;
  if (hits.some(same)) return hits;
  return [...hits, heard].sort((one, other) => one.startMs - other.startMs).slice(-MOST_HITS);
}
