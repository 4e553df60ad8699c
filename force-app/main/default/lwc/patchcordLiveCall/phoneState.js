/**
 * What the phone's channel says of the phone, as far as it is what it should be: any script of the page can speak there. Pure; must never
 * draw.
 */

/** Calls shown; a phone has two, more is not the phone. */
const MOST_CALLS = 6;

/**
 * @typedef {object} LiveCall
 * @property {string} id
 * @property {string} phase
 * @property {string} number
 * @property {string} name
 * @property {string} recordId
 * @property {number} startedAt epoch ms; 0 where it has not happened
 * @property {number} answeredAt
 * @property {number} endedAt
 * @property {boolean} held
 * @property {boolean} muted
 * @property {number} matches
 */

/**
 * @param {unknown} list
 * @returns {LiveCall[]} what is a call of it, the first six
 */
export function callsIn(list) {
  return list
    .filter((call) => isText(call?.id) && isText(call.phase))
    .slice(0, MOST_CALLS)
    .map((call) => ({
      id: call.id,
      phase: call.phase,
      number: text(call.number),
      name: text(call.name),
      recordId: text(call.recordId),
      startedAt: number(call.startedAt),
      answeredAt: number(call.answeredAt),
      endedAt: number(call.endedAt),
      held: call.held === true,
      muted: call.muted === true,
      matches: number(call.matches),
    }));
}

/**
 * @param {unknown} allowed what the phone takes from the page; a phone that does not say takes what phones always took
 * @returns {Set<string>} of `dial`, `answer` and `control`
 */
export function allowedIn(allowed) {
  return new Set(Array.isArray(allowed) ? allowed : ['control']);
}

function isText(value) {
  return typeof value === 'string' && value !== '';
}

function text(value) {
  return typeof value === 'string' ? value : '';
}

function number(value) {
  return Number.isFinite(value) ? value : 0;
}
