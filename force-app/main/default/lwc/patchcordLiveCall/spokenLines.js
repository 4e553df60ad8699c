/** The lines of a call as they are said: a later line replaces the one it completes. Pure; must never draw. */

/** Lines kept; a call of a day would fill the page otherwise. */
const MOST_LINES = 500;

/**
 * @typedef {object} SpokenLine
 * @property {number} line counts within the call and speaker
 * @property {'agent' | 'far-side'} speaker
 * @property {string} text
 * @property {number} startMs
 * @property {boolean} final
 */

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
