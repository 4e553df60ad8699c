/**
 * Owns the open deals and tickets of a record in HubSpot: what a call with it may be about. Associations say which there are, one batch read
 * what they are, the pipelines what their stages are called and which of them are closed. An account that does not let the app see deals or
 * tickets simply has none. Must never write.
 */
import type { RecordRef, Related } from '@patchcord/call-protocol';
import type { GatedRequest } from '../request-gate.ts';
import { idOf, isObject, listOf, text } from './answers.ts';
import { isRecordId } from './call.ts';
import type { HubSpotClient } from './client.ts';

/** The contract of `relatedTo`: at most this many. */
const mostRelated = 20;
/** HubSpot's own limit of a batch read. */
const mostRead = 100;
/** Somebody looks at the call and waits. */
const waitedFor: GatedRequest = { urgent: true };

type Kind = 'deals' | 'tickets';
type Properties = Readonly<Record<string, unknown>>;

interface Stage {
  readonly label: string;
  readonly closed: boolean;
}
type Stages = ReadonlyMap<string, Stage>;

const kinds: Readonly<
  Record<Kind, { readonly object: string; readonly scope: string; readonly properties: readonly string[] }>
> = {
  tickets: {
    object: 'ticket',
    scope: 'tickets',
    properties: ['subject', 'hs_pipeline_stage', 'hs_ticket_priority', 'hs_is_closed', 'hs_lastmodifieddate'],
  },
  deals: {
    object: 'deal',
    scope: 'crm.objects.deals.read',
    properties: [
      'dealname',
      'dealstage',
      'amount',
      'deal_currency_code',
      'closedate',
      'hs_is_closed',
      'hs_lastmodifieddate',
    ],
  },
};

/** Where the associations of a record begin. */
const from: Readonly<Record<string, string>> = { contact: 'contacts', company: 'companies' };

export interface OpenWork {
  /**
   * The open tickets and deals of a contact or a company, the last touched first; empty for any other record.
   * @throws PatchcordError `crm.*`
   */
  relatedTo(record: RecordRef): Promise<readonly Related[]>;
}

/** @param notice hears, once, which scope is missing */
export function openWorkOf(options: {
  readonly client: HubSpotClient;
  readonly keepMs: number;
  readonly notice: (text: string) => void;
}): OpenWork {
  const { client, keepMs, notice } = options;
  const hiddenSince = new Map<Kind, number>();
  const pipelines = new Map<Kind, { readonly at: number; readonly stages: Promise<Stages> }>();
  const isFresh = (at: number | undefined): boolean => at !== undefined && Date.now() - at < keepMs;

  /** The answer's body; null when the app may not see this kind, which is asked again only after a while. */
  async function seen(
    kind: Kind,
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    doing: string,
  ): Promise<unknown> {
    const answer = await client.request(method, path, body, doing, [403, 404], waitedFor);
    if (answer.status === 403) {
      hiddenSince.set(kind, Date.now());
      notice(
        `HubSpot does not show ${kind} to the app: agents are not offered them for a call. To offer them, add the scope ${kinds[kind].scope} to the app and connect HubSpot again.`,
      );
    }
    return answer.status < 400 ? answer.body : null;
  }

  function stagesOf(kind: Kind): Promise<Stages> {
    const known = pipelines.get(kind);
    if (known !== undefined && isFresh(known.at)) return known.stages;
    const asked = { at: Date.now(), stages: readStages(kind) };
    pipelines.set(kind, asked);
    asked.stages.catch(() => {
      if (pipelines.get(kind) === asked) pipelines.delete(kind);
    });
    return asked.stages;
  }

  /** Without pipelines a stage has no name, and the record itself says whether it is closed. */
  async function readStages(kind: Kind): Promise<Stages> {
    const path = `/crm/v3/pipelines/${kind}`;
    const answer = await client.request('GET', path, undefined, `to list the stages of ${kind}`, [403, 404], waitedFor);
    const stages = listOf(answer.status < 400 ? answer.body : null, 'results').flatMap((one) => listOf(one, 'stages'));
    return new Map(
      stages.filter(isObject).map((stage) => {
        const about = isObject(stage.metadata) ? stage.metadata : {};
        const closed = `${about.isClosed}` === 'true' || about.ticketState === 'CLOSED';
        return [String(stage.id), { label: text(stage.label), closed }] as const;
      }),
    );
  }

  async function openOf(kind: Kind, record: RecordRef): Promise<readonly Offered[]> {
    if (isFresh(hiddenSince.get(kind))) return [];
    const linked = await seen(
      kind,
      'POST',
      `/crm/v4/associations/${from[record.object]}/${kind}/batch/read`,
      { inputs: [{ id: record.id }] },
      `to list the ${kind} of the ${record.object}`,
    );
    const ids = listOf(linked, 'results')
      .flatMap((one) => listOf(one, 'to'))
      .map((one) => idOf(isObject(one) ? one.toObjectId : null))
      .filter((id) => id !== '')
      // The newest have the highest ids, should there be more than can be read at once.
      .sort((one, other) => Number(other) - Number(one))
      .slice(0, mostRead);
    if (ids.length === 0) return [];
    const { properties } = kinds[kind];
    const [read, stages] = await Promise.all([
      seen(
        kind,
        'POST',
        `/crm/v3/objects/${kind}/batch/read`,
        { properties, propertiesWithHistory: [], inputs: ids.map((id) => ({ id })) },
        `to read the ${kind} of the ${record.object}`,
      ),
      stagesOf(kind),
    ]);
    const who = (record.name ?? '').trim() || `this ${record.object}`;
    return listOf(read, 'results')
      .filter(isObject)
      .flatMap((row) => offered(kind, idOf(row.id), isObject(row.properties) ? row.properties : {}, stages, who));
  }

  return {
    async relatedTo(record) {
      if (record.crm !== 'hubspot' || from[record.object] === undefined || !isRecordId(record.id)) return [];
      const found = (await Promise.all([openOf('tickets', record), openOf('deals', record)])).flat();
      found.sort((one, other) => other.touchedAt - one.touchedAt);
      return found.slice(0, mostRelated).map(({ related }) => related);
    },
  };
}

interface Offered {
  readonly related: Related;
  /** Epoch ms; 0 when HubSpot does not say. */
  readonly touchedAt: number;
}

function offered(kind: Kind, id: string, properties: Properties, stages: Stages, who: string): readonly Offered[] {
  const stageId = text(kind === 'deals' ? properties.dealstage : properties.hs_pipeline_stage);
  const stage = stages.get(stageId);
  if (id === '' || properties.hs_is_closed === 'true' || stage?.closed === true) return [];
  const { object } = kinds[kind];
  const name = text(kind === 'deals' ? properties.dealname : properties.subject).trim();
  const detail = [stage?.label ?? '', ...(kind === 'deals' ? ofDeal(properties) : [priority(properties)])]
    .filter((part) => part !== '')
    .join(', ');
  const touched = Date.parse(text(properties.hs_lastmodifieddate));
  return [
    {
      related: {
        record: { crm: 'hubspot', object, id, name: (name || `${object} ${id}`).slice(0, 255) },
        ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
        reason: `Open ${object} of ${who}`.slice(0, 255),
      },
      touchedAt: Number.isFinite(touched) ? touched : 0,
    },
  ];
}

/** `12,500 EUR`, `closes 2026-12-31` */
function ofDeal(properties: Properties): readonly string[] {
  const amount = Number(text(properties.amount) || Number.NaN);
  const money = Number.isFinite(amount)
    ? `${amount.toLocaleString('en-US')} ${text(properties.deal_currency_code)}`.trim()
    : '';
  const closes = Date.parse(text(properties.closedate));
  return [money, Number.isFinite(closes) ? `closes ${new Date(closes).toISOString().slice(0, 10)}` : ''];
}

function priority({ hs_ticket_priority: given }: Properties): string {
  const word = text(given).toLowerCase();
  return word === '' ? '' : `${word} priority`;
}
