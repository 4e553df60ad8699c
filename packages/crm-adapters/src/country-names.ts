/**
 * Owns reading a country as people write it into a record: "Netherlands", "Deutschland", "USA", "nl". Must never guess: what is no known name
 * or code is null.
 */
import { type CountryCode, getCountries, isSupportedCountry } from 'libphonenumber-js/max';

/** Languages in which country names are known. English decides where two of them disagree. */
const languages = ['en', 'de', 'fr', 'es', 'it', 'nl', 'pt', 'da', 'sv', 'nb', 'fi', 'pl', 'cs', 'ja', 'zh'];

/** What no list of names has: short forms, parts of a country, and three letters. */
const alsoCalled: Readonly<Record<string, string>> = {
  US: 'usa|unitedstatesofamerica|america',
  GB: 'uk|gbr|greatbritain|england|scotland|wales|northernireland',
  NL: 'nld|thenetherlands|holland',
  DE: 'deu|ger|brd',
  CZ: 'cze|czechrepublic',
  AT: 'aut',
  AU: 'aus',
  BE: 'bel',
  CA: 'can',
  CH: 'che',
  ES: 'esp',
  FR: 'fra',
  IE: 'irl|republicofireland',
  IN: 'ind',
  IT: 'ita',
  JP: 'jpn',
  KR: 'kor|southkorea',
  RU: 'rus|russianfederation',
  TR: 'tur|turkey',
};

let names: ReadonlyMap<string, CountryCode> | null = null;

/** The ISO 3166-1 alpha-2 code of a country's name or code; null when it is none that has telephones. */
export function countryIn(text: string): CountryCode | null {
  const bare = text.trim();
  if (bare.length > 80) return null;
  const code = bare.toUpperCase();
  if (code.length === 2 && isSupportedCountry(code)) return code;
  names ??= allNames();
  return names.get(plain(bare)) ?? null;
}

function allNames(): ReadonlyMap<string, CountryCode> {
  const found = new Map<string, CountryCode>();
  const put = (name: string, country: CountryCode): void => {
    if (name !== '' && !found.has(name)) found.set(name, country);
  };
  for (const language of languages) {
    const inWords = new Intl.DisplayNames([language], { type: 'region', fallback: 'none' });
    for (const country of getCountries()) put(plain(inWords.of(country) ?? ''), country);
  }
  for (const [country, others] of Object.entries(alsoCalled))
    for (const name of others.split('|')) if (isSupportedCountry(country)) put(name, country);
  return found;
}

/** Letters alone, without case and accents. */
function plain(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[^\p{L}]/gu, '')
    .toLowerCase();
}
