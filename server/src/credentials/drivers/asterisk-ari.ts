/**
 * Asterisk by ARI push configuration: every device of an agent is an endpoint of its own, beside whatever stands in pjsip.conf.
 *
 * ```
 * endpoint, aor  1001-<device>       the device: registers, calls, shows the agent's caller id
 * auth           1001-<device>-a|b   two of them, used in turn: the credential in use still works while its successor travels
 * endpoint       991001              the companion, in which nobody can sign in: its aors are those of all devices, so the dialplan rings them
 * ```
 * A device has its own AOR, so that taking one away touches no other. Delete the endpoint first: while one names an auth object, that can't go.
 * A device's endpoint is never pushed twice: Asterisk would append to its `auth`, and refuses to change one that has a `set_var`.
 * Must never change or remove an endpoint that doesn't carry our mark: the name of a companion may be somebody's phone.
 */
import { type AgentId, type DeviceId, PatchcordError } from '@patchcord/call-protocol';
import { callerIdsOf } from '../../agent-features.ts';
import type { IssuedCredential } from '../../store/contract.ts';
import { ariClient } from '../ari.ts';
import { ha1, randomName, randomPassword, shortName } from '../digest.ts';
import {
  type AgentLine,
  type CredentialIssuer,
  type CredentialSettings,
  type IssuerParts,
  longestRegistrationMs,
} from '../issuer.ts';
import { asteriskCallerIds } from './asterisk-caller-ids.ts';
import { asteriskEndpoints } from './asterisk-endpoint.ts';

/** Whose an endpoint is; only those are ever deleted. A plain attribute: Asterisk can't change an endpoint again that has a `set_var`. */
const mark = 'callerid_tag';
/** How often the relay reconciles, ms. */
const betweenMs = 60_000;

export function asteriskAri(
  { tenant, store, now, log }: IssuerParts,
  settings: CredentialSettings<'asterisk-ari'>,
): CredentialIssuer {
  const ari = ariClient(settings);
  const realm = tenant.sip.domain;
  const callerIds = asteriskCallerIds(ari, tenant.id, log);
  const ours = `patchcord ${tenant.id}`;
  const ends = tenant.sip.revocation.calls === 'end';

  const userOf = (extension: string, device: DeviceId, agent: AgentId): string =>
    `${extension}-${shortName(`${tenant.id} ${agent} ${device}`, 12)}`;
  const companionOf = (extension: string): string => `${settings.companionPrefix}${extension}`;
  const agentAt = (extension: string) => tenant.agents.find((one) => one.extension === extension);
  const namesOf = (extension: string): string => agentAt(extension)?.name ?? '';
  const shownBy = (extension: string): readonly string[] => {
    const agent = agentAt(extension);
    return agent === undefined ? [] : callerIdsOf(tenant, agent).map(({ number }) => number);
  };
  const callerId = (name: string, extension: string): string =>
    `"${name.replace(/[^\p{L}\p{N} .,'’-]/gu, '').slice(0, 60)}" <${extension}>`;
  const endpointsOf = (extension: string) =>
    asteriskEndpoints(tenant.id, extension, callerId(namesOf(extension), extension), settings);

  const pushAuth = (id: string, username: string, secret: string): Promise<void> =>
    ari.put('auth', id, [
      // Since 20.12 `digest` is the name for it; this one every Asterisk knows.
      ['auth_type', 'md5'],
      ['username', username],
      ['realm', realm],
      ['md5_cred', secret],
      // Seconds an answer may take; Asterisk would take the same one again from the same address as long.
      ['nonce_lifetime', '10'],
    ]);
  /** Nobody knows what fits this. */
  const closed = (): string => ha1('', '', randomPassword());

  /** The device's newest credential in each of its two places. */
  const places = (
    credentials: readonly IssuedCredential[],
  ): Readonly<Record<'a' | 'b', IssuedCredential | undefined>> => {
    const newest = (place: string): IssuedCredential | undefined =>
      credentials
        .filter((one) => one.username.endsWith(`-${place}`))
        .reduce<IssuedCredential | undefined>(
          (best, one) => (best === undefined || one.issuedAt >= best.issuedAt ? one : best),
          undefined,
        );
    return { a: newest('a'), b: newest('b') };
  };

  /** Makes these places of the device say what its credentials say; one without is closed. */
  const pushPlaces = async (
    user: string,
    live: readonly IssuedCredential[],
    wanted: readonly ('a' | 'b')[] = ['a', 'b'],
  ): Promise<void> => {
    const held = places(live);
    await Promise.all(
      wanted.map((place) =>
        pushAuth(`${user}-${place}`, held[place]?.username ?? `${user}-${place}`, held[place]?.ha1 ?? closed()),
      ),
    );
  };

  /** Makes the device's objects say what these credentials say. */
  const pushDevice = async (
    user: string,
    extension: string,
    device: DeviceId,
    live: readonly IssuedCredential[],
    fresh: boolean,
  ): Promise<void> => {
    const { a, b } = places(live);
    const { device: attributes, mailboxes } = endpointsOf(extension);
    const newest = (a?.issuedAt ?? 0) >= (b?.issuedAt ?? 0) ? 'a' : 'b';
    await Promise.all([
      // Alone it has no predecessor that still works: whatever stands in the other place is nobody's any more.
      pushPlaces(user, live, fresh || live.length === 1 ? ['a', 'b'] : [newest]),
      callerIds.tell(extension, shownBy(extension), fresh),
      ...(fresh
        ? [
            ari.put('aor', user, [
              ['max_contacts', '1'],
              ['remove_existing', 'yes'],
              ['remove_unavailable', 'yes'],
              ['minimum_expiration', '10'],
              ['maximum_expiration', String(tenant.sip.registerSeconds)],
              ['mailboxes', mailboxes],
            ]),
          ]
        : []),
    ]);
    if (!fresh) return;
    await ari.put('endpoint', user, [
      ['aors', user],
      ['auth', `${user}-a,${user}-b`],
      ...Object.entries(attributes),
      [mark, ours],
      ['set_var', `PATCHCORD_TENANT=${tenant.id}`],
      ['set_var', `PATCHCORD_EXTENSION=${extension}`],
      ['set_var', `PATCHCORD_DEVICE=${device}`],
      // deploy/asterisk/call-records: Asterisk tells of every call this device places.
      ...(tenant.callRecords?.asterisk === undefined
        ? []
        : ([['set_var', 'CHANNEL(hangup_handler_push)=patchcord-records,s,1']] as const)),
    ]);
  };

  /** Whether the companion is there. @throws PatchcordError `config.invalid` when its name is somebody else's */
  const hasCompanion = async (name: string): Promise<boolean> => {
    if ((await ari.attribute(name, mark)) === ours) return true;
    if (!(await ari.has('endpoint', name))) return false;
    throw new PatchcordError(
      'config.invalid',
      `Asterisk has an endpoint "${name}" that is not this relay's. Choose another sip.credential.companionPrefix, or rename that endpoint.`,
    );
  };

  /** The companion rings exactly the devices that live; with none of them it goes. */
  const pushCompanion = async (extension: string): Promise<void> => {
    const name = companionOf(extension);
    const rings = async (): Promise<string> => {
      const live = await store.liveOfExtension(tenant.id, extension, now());
      return [...new Set(live.flatMap((one) => (one.user === null ? [] : [one.user])))].sort().join(',');
    };
    let aors = await rings();
    for (;;) {
      if (aors === '') {
        // Somebody else's with this name rings none of ours: there is nothing to take away.
        if ((await ari.attribute(name, mark)) === ours) {
          await ari.remove('endpoint', name);
          await ari.remove('auth', name);
        }
      } else if (await hasCompanion(name)) {
        await ari.put('endpoint', name, [['aors', aors]]);
      } else {
        await pushAuth(name, name, closed());
        await ari.put('endpoint', name, [
          ['aors', aors],
          ['auth', name],
          ...Object.entries(endpointsOf(extension).companion),
          [mark, ours],
        ]);
      }
      // Somebody, perhaps another relay, may have issued meanwhile and been overwritten here.
      const after = await rings();
      if (after === aors) return;
      aors = after;
    }
  };

  const removeDevice = async (user: string): Promise<void> => {
    await ari.remove('endpoint', user);
    await Promise.all([ari.remove('aor', user), ari.remove('auth', `${user}-a`), ari.remove('auth', `${user}-b`)]);
  };

  const liveDevice = async (extension: string, user: string): Promise<readonly IssuedCredential[]> =>
    (await store.liveOfExtension(tenant.id, extension, now())).filter((one) => one.user === user);

  /**
   * Makes Asterisk say of one device what the store says, though both may change meanwhile: done when the store still says what was carried out.
   * @param there Whether the device's endpoint was in Asterisk a moment ago
   */
  const settle = async (user: string, extension: string, there: boolean): Promise<'restored' | 'removed' | null> => {
    let outcome: 'restored' | 'removed' | null = null;
    let told: string | null = there ? null : '';
    for (;;) {
      const live = await liveDevice(extension, user);
      const [first] = live;
      const wanted = live.map((one) => one.username).join(' ');
      if (wanted === told) return outcome;
      if (first === undefined) {
        await removeDevice(user);
        outcome = outcome === 'restored' ? null : 'removed';
      } else if (await ari.has('endpoint', user)) {
        // Whoever issued to it had the same endpoint before their eyes.
        await pushPlaces(user, live);
      } else {
        await pushDevice(user, extension, first.device, live, true);
        outcome = outcome === 'removed' ? null : 'restored';
      }
      told = wanted;
    }
  };

  /**
   * The channels of calls that came in to these devices: channels of the companion, told apart by where they were sent. To be asked before the
   * objects go; afterwards nobody knows any more where the devices were.
   */
  const calledAt = async (users: ReadonlySet<string>, extension: string): Promise<readonly string[]> => {
    const through = (await ari.channels()).filter(({ endpoint }) => endpoint === companionOf(extension));
    const [any] = through;
    if (any === undefined) return [];
    const contacts = await Promise.all([...users].map((user) => ari.contacts(user, any.id)));
    const theirs = new Set(contacts.flat().map(addressOf));
    const targets = await Promise.all(through.map(async ({ id }) => ({ id, target: addressOf(await ari.target(id)) })));
    return targets.filter(({ target }) => theirs.has(target)).map(({ id }) => id);
  };
  const endCalls = async (users: ReadonlySet<string>, came: readonly string[]): Promise<void> => {
    const begun = (await ari.channels()).filter(({ endpoint }) => users.has(endpoint)).map(({ id }) => id);
    await Promise.all([...came, ...begun].map(ari.hangUp));
  };

  const users = async (line: AgentLine, device: DeviceId | null): Promise<ReadonlySet<string>> => {
    const given = await store.issuedTo(tenant.id, line.agent, now() - longestRegistrationMs);
    const names = given.flatMap((one) =>
      one.user !== null && (device === null || one.device === device) ? [one.user] : [],
    );
    return new Set(device === null ? names : [...names, userOf(line.extension, device, line.agent)]);
  };

  const take = async (line: AgentLine, device: DeviceId | null): Promise<void> => {
    const theirs = await users(line, device);
    // All was withdrawn before this: what lives was issued since, to somebody who may sign in again. They keep their calls and their line.
    const live = new Set((await store.liveCredentials(tenant.id, line.agent, now())).map((one) => one.user));
    const gone = new Set([...theirs].filter((user) => !live.has(user)));
    const came = ends ? await calledAt(gone, line.extension) : [];
    await Promise.all([...theirs].map((user) => settle(user, line.extension, true)));
    await Promise.all([pushCompanion(line.extension), ...(ends ? [endCalls(gone, came)] : [])]);
  };

  return {
    kind: 'asterisk-ari',
    revocable: true,
    limits: null,

    async issue(device) {
      const at = now();
      const user = userOf(device.extension, device.id, device.agent);
      const [live, there] = await Promise.all([
        store.liveCredentials(tenant.id, device.agent, at),
        ari.has('endpoint', user),
        hasCompanion(companionOf(device.extension)),
      ]);
      const before = live.filter((one) => one.user === user);
      const { a, b } = places(before);
      const place = (a?.issuedAt ?? 0) > (b?.issuedAt ?? 0) ? 'b' : 'a';
      const password = randomPassword();
      const username = `${user}-${randomName(8)}-${place}`;
      const issued: IssuedCredential = {
        tenant: tenant.id,
        agent: device.agent,
        device: device.id,
        username,
        kind: 'asterisk-ari',
        extension: device.extension,
        user,
        ha1: ha1(username, realm, password),
        issuedAt: at,
        expiresAt: at + settings.ttlSeconds * 1_000,
        revokedAt: null,
      };
      await store.addIssued(issued);
      await Promise.all([
        pushDevice(user, device.extension, device.id, [...before, issued], !there),
        ...(there && before.length > 0 ? [] : [pushCompanion(device.extension)]),
      ]);
      return { username, user, password, expiresAt: issued.expiresAt };
    },

    revoke: take,
    revokeAgent: (line) => take(line, null),

    async endCalls(line, device, sipCallIds) {
      const user = userOf(line.extension, device, line.agent);
      const came = await calledAt(new Set([user]), line.extension);
      const wanted = new Set(sipCallIds);
      // What it took up in the dialog of another device goes on in that device's channel.
      const theirs = await users(line, null);
      const gone = await Promise.all(
        (await ari.channels()).map(async ({ id, endpoint }) => {
          if (endpoint === user || came.includes(id)) return [id];
          const mayBe = theirs.has(endpoint) || endpoint === companionOf(line.extension);
          return mayBe && wanted.has(await ari.sipCallId(id)) ? [id] : [];
        }),
      );
      await Promise.all(gone.flat().map(ari.hangUp));
      return gone.flat().length;
    },

    async isRegistered(line, device) {
      // The contact goes with the WebSocket it came over; the endpoint is online while it has one.
      const state = await ari.state(userOf(line.extension, device, line.agent));
      if (state === 'unknown')
        throw new PatchcordError('sip.refused', 'Asterisk does not know whether a phone is registered. See its log.', {
          retryable: true,
        });
      return state === 'online';
    },

    async reconcile() {
      const at = now();
      const known = (await store.liveOfTenant(tenant.id, at - 2 * betweenMs)).filter(
        (one) => one.kind === 'asterisk-ari',
      );
      const live = known.filter((one) => one.expiresAt > at);
      const byUser = new Map<string, IssuedCredential[]>();
      for (const one of live) if (one.user !== null) byUser.set(one.user, [...(byUser.get(one.user) ?? []), one]);
      const extensions = new Set(live.map((one) => one.extension ?? ''));
      const companions = new Set([...extensions].map(companionOf));
      const there = new Set(await ari.endpoints());
      const touched = new Set<string>();
      let restored = 0;
      for (const [user, credentials] of byUser) {
        const [{ extension } = { extension: null }] = credentials;
        if (there.has(user) || extension === null) continue;
        if ((await settle(user, extension, false)) === 'restored') restored += 1;
        touched.add(extension);
      }
      for (const extension of extensions) if (!there.has(companionOf(extension))) touched.add(extension);
      // A place whose credential lapsed since the last look, while the device goes on with the other one.
      for (const { user, username, extension, expiresAt } of known) {
        const place = username.endsWith('-a') ? 'a' : 'b';
        const mine = user === null ? undefined : byUser.get(user);
        if (expiresAt > at || user === null || mine === undefined || places(mine)[place] !== undefined) continue;
        if (there.has(user) && extension !== null) await settle(user, extension, true);
      }
      let removed = 0;
      for (const name of there) {
        if (byUser.has(name) || companions.has(name)) continue;
        const device = /^(.+)-[a-z2-7]{12}$/.exec(name)?.[1];
        const companion = name.startsWith(settings.companionPrefix)
          ? name.slice(settings.companionPrefix.length)
          : undefined;
        const extension = device ?? companion;
        if (extension === undefined || (await ari.attribute(name, mark)) !== ours) continue;
        if (device === undefined || (await settle(name, extension, true)) === 'removed') removed += 1;
        touched.add(extension);
      }
      // One name that is somebody else's must not cost the other extensions their turn.
      let failed: unknown = null;
      for (const extension of touched) {
        try {
          await pushCompanion(extension);
        } catch (error) {
          failed = error;
        }
      }
      if (removed + restored > 0) log.info({ tenant: tenant.id, removed, restored }, 'Asterisk was brought up to date');
      if (failed !== null) throw failed;
      return { removed, restored };
    },
  };
}

/** A contact without what a transport adds to it. */
function addressOf(text: string): string {
  return text.replace(/^<|>$/g, '').split(';')[0] ?? '';
}
