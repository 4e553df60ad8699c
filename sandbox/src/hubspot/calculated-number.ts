/**
 * Owns what HubSpot calculates from a number as somebody typed it: the number with its country code and the one without (the HubSpot contract,
 * section 2.4). Reads as much as its own calculation does: one number, maybe with an extension behind it. Must never read a record.
 */

interface Plan {
  readonly region: string;
  readonly code: string;
  /** What stands in front of a national number inside the country. */
  readonly trunk: string;
  /** Digits of a national number. */
  readonly digits: readonly [fewest: number, most: number];
  readonly area: number;
}

const plan = (region: string, code: string, trunk: string, fewest: number, most = fewest, area = 2): Plan => ({
  region,
  code,
  trunk,
  digits: [fewest, most],
  area,
});

/** The first of those with one code is the one that a foreign number is read in. */
const plans: readonly Plan[] = [
  plan('US', '1', '1', 10, 10, 3),
  plan('CA', '1', '1', 10, 10, 3),
  plan('GB', '44', '0', 9, 10),
  plan('DE', '49', '0', 5, 11),
  plan('FR', '33', '0', 9, 9, 1),
  plan('IT', '39', '', 8, 11),
  plan('AT', '43', '0', 4, 13),
  plan('CH', '41', '0', 9),
  plan('NL', '31', '0', 9),
  plan('ES', '34', '', 9),
  plan('MX', '52', '', 10),
  plan('BR', '55', '0', 10, 11),
  plan('AU', '61', '0', 9, 9, 1),
  plan('IN', '91', '0', 10),
  plan('JP', '81', '0', 9, 10),
  plan('SG', '65', '', 8),
  plan('AE', '971', '0', 8, 9),
  plan('AR', '54', '0', 10, 11),
  plan('BE', '32', '0', 8, 9),
  plan('PL', '48', '', 9),
  plan('IE', '353', '0', 7, 10),
  plan('SE', '46', '0', 7, 9),
  plan('ZA', '27', '0', 9),
  plan('TR', '90', '0', 10, 10, 3),
  plan('DK', '45', '', 8),
];

/** What HubSpot calculates from a number as typed; a national number is read in `region`. Nothing when it makes no sense. */
export function calculatedNumber(
  typed: string,
  region: string,
): { e164: string; national: string; code: string; region: string; area: string } | undefined {
  const text = typed.trim().replace(/[\s,;]*(?:ext(?:ension)?\.?|x|#)\s*=?\s*\d{1,7}\s*$/i, '');
  // Letters make a vanity number or two, and no calculation.
  if (!/^[+(\d][\d\s().\-/–‑[\]]*$/.test(text)) return undefined;
  const all = text.replace(/\D/g, '');
  const wayOut = region === 'US' || region === 'CA' ? '011' : '00';
  const international = text.startsWith('+') ? all : all.startsWith(wayOut) ? all.slice(wayOut.length) : undefined;
  const found =
    international === undefined
      ? plans.find((one) => one.region === region)
      : plans.find((one) => international.startsWith(one.code));
  if (!found) return undefined;
  let national = international === undefined ? all : international.slice(found.code.length);
  // Written inside of an international number, too: `+44 (0)20 …`.
  const hasTrunk = found.trunk !== '' && national.startsWith(found.trunk);
  if (hasTrunk && (international === undefined || found.trunk === '0')) national = national.slice(found.trunk.length);
  const [fewest, most] = found.digits;
  if (national.length < fewest || national.length > most) return undefined;
  return {
    e164: `+${found.code}${national}`,
    national,
    code: found.code,
    region: found.region,
    area: national.slice(0, found.area),
  };
}
