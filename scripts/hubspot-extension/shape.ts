/**
 * Owns the small language in which the shapes of HubSpot's project files are written, and how a file is held to one. What is not named in an object is
 * refused, as HubSpot does.
 */

/** Says what is wrong with a value at a place; nothing when it fits. */
export type Shape = (value: unknown, at: string) => readonly string[];

export type Fields = Readonly<Record<string, Shape>>;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(required: Fields, optional: Fields = {}): Shape {
  return (value, at) => {
    if (!isRecord(value)) return [`${at}: must be an object`];
    const known: Fields = { ...required, ...optional };
    return [
      ...Object.keys(required)
        .filter((name) => !(name in value))
        .map((name) => `${at}: "${name}" is missing`),
      ...Object.entries(value).flatMap(([name, part]) => {
        const shape = known[name];
        return shape === undefined ? [`${at}: "${name}" is not known here`] : shape(part, `${at}.${name}`);
      }),
    ];
  };
}

/** An object with names that nobody knows beforehand. */
export function mapOf(item: Shape): Shape {
  return (value, at) =>
    isRecord(value)
      ? Object.entries(value).flatMap(([name, part]) => item(part, `${at}.${name}`))
      : [`${at}: must be an object`];
}

export function listOf(item: Shape, fewest = 0): Shape {
  return (value, at) => {
    if (!Array.isArray(value)) return [`${at}: must be a list`];
    if (value.length < fewest) return [`${at}: needs at least ${fewest}`];
    const twice = value.filter((part, index) => typeof part === 'string' && value.indexOf(part) !== index);
    return [
      ...value.flatMap((part, index) => item(part, `${at}[${index}]`)),
      ...twice.map((part) => `${at}: "${part}" stands there twice`),
    ];
  };
}

/** A text that is not empty and fits `pattern`; `means` says to a person what does. */
export function text(pattern: RegExp = /\S/, means = 'a text'): Shape {
  return (value, at) => (typeof value === 'string' && pattern.test(value) ? [] : [`${at}: must be ${means}`]);
}

export function oneOf(...values: readonly string[]): Shape {
  return (value, at) =>
    typeof value === 'string' && values.includes(value) ? [] : [`${at}: must be one of ${values.join(', ')}`];
}

export const flag: Shape = (value, at) => (typeof value === 'boolean' ? [] : [`${at}: must be true or false`]);

export const wholeNumber: Shape = (value, at) => (Number.isInteger(value) ? [] : [`${at}: must be a whole number`]);

/** What a profile may hold. */
export const plainValue: Shape = (value, at) =>
  ['string', 'number', 'boolean'].includes(typeof value) ? [] : [`${at}: must be a text, a number, true or false`];
