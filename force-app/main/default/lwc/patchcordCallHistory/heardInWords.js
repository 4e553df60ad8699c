/** What was heard in a call, as the list shows it: a machine's summary and its mood, what was promised, phrases of rules. Pure; must never draw. */

const MOODS = { positive: 'Positive', neutral: 'Neutral', negative: 'Negative' };

/**
 * @typedef {object} HeardInWords
 * @property {boolean} hasHeard whether there is anything to show
 * @property {string} mood empty where nobody told it
 * @property {{ key: number, text: string }[]} actions
 * @property {{ key: number, text: string, className: string }[]} heardPhrases
 */

/**
 * @param {{ sentiment?: string, summary?: string, actionItems?: string, phrases?: string }} call
 * @returns {HeardInWords}
 */
export function heardInWords(call) {
  const actions = linesOf(call.actionItems).map((text, key) => ({ key, text }));
  const heardPhrases = linesOf(call.phrases).map((text, key) => ({
    key,
    text,
    // What had to be said and was not is what somebody has to look at.
    className: text.startsWith('Not heard:') ? 'phrase phrase_missed' : 'phrase',
  }));
  return {
    mood: MOODS[call.sentiment] ?? call.sentiment ?? '',
    actions,
    hasActions: actions.length > 0,
    heardPhrases,
    hasPhrases: heardPhrases.length > 0,
    hasHeard: Boolean(call.summary) || Boolean(call.sentiment) || actions.length > 0 || heardPhrases.length > 0,
  };
}

function linesOf(text) {
  return String(text ?? '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
