/** Reads the text of a stored transcript into lines. Owns that shape; must never draw. */

/**
 * @typedef {object} TranscriptLine
 * @property {number} key place in the transcript
 * @property {number | null} at seconds from the answer, where the line says so
 * @property {string} speaker empty where the line names none
 * @property {string} text
 */

/** `[1:02:03] Agent: words`; time and speaker may each be missing. */
const LINE = /^\s*(?:\[?((?:\d{1,2}:)?\d{1,2}:\d{2})(?:\.\d+)?\]?\s*)?(?:([^:[\]]{1,60}):\s+)?(.*)$/;

/**
 * @param {string} transcript
 * @returns {TranscriptLine[]} every line that has words
 */
export function linesOf(transcript) {
  return String(transcript ?? '')
    .split(/\r?\n/)
    .map((line) => LINE.exec(line))
    .filter((parts) => parts !== null && parts[3].trim() !== '')
    .map(([, time, speaker, text], key) => ({
      key,
      at: time ? seconds(time) : null,
      speaker: (speaker ?? '').trim(),
      text: text.trim(),
    }));
}

/**
 * Cuts a text at every place that has the words sought.
 * @param {string} text
 * @param {string} sought
 * @returns {{ key: number, text: string, found: boolean }[]}
 */
export function piecesOf(text, sought) {
  const wanted = sought.trim().toLowerCase();
  if (wanted === '') return [{ key: 0, text, found: false }];
  const pieces = [];
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(wanted); at !== -1; at = lower.indexOf(wanted, from)) {
    if (at > from) pieces.push({ key: pieces.length, text: text.slice(from, at), found: false });
    from = at + wanted.length;
    pieces.push({ key: pieces.length, text: text.slice(at, from), found: true });
  }
  if (from < text.length) pieces.push({ key: pieces.length, text: text.slice(from), found: false });
  return pieces;
}

function seconds(time) {
  return time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
