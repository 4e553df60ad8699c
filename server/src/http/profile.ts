/** `GET /v1/profile`: what the phone needs to know before it can work. Must never hold a secret. */
import type { Profile, TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import { featuresOf } from '../agent-features.ts';
import { recordingPolicyOf } from '../config/recording-policy.ts';
import { transcriptionOf } from '../config/transcription.ts';
import { numberMetadata } from '../number-metadata.ts';
import { recoveryOf } from '../recoveries.ts';
import { policiesOf } from '../tenant-policies.ts';
import { toAgent } from '../tenants.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function profileRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/profile',
    withSession(parts, async (session, _request, response) => {
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      const { config } = tenant;
      const { wrapUpSeconds, screenPop } = await policiesOf(parts.store.policies, config);
      const profile: Profile = {
        tenant: { id: config.id as TenantId, name: config.name, crm: config.crm.kind },
        agent: toAgent(config, agent),
        sip: {
          domain: config.sip.domain,
          servers: config.sip.servers,
          registerSeconds: config.sip.registerSeconds,
          candidates: config.sip.candidates,
          outboundProxy: config.sip.outboundProxy ?? null,
          failBackSeconds: config.sip.failBackSeconds,
          callerIdIn: config.sip.callerIdIn,
          sessionSeconds: config.sip.sessionSeconds,
          recovery: recoveryOf(config, agent, await parts.recoveries.known(config.id as TenantId)),
        },
        iceTransportPolicy: config.iceTransportPolicy,
        media: config.media,
        features: featuresOf(config, agent),
        numbers: {
          country: config.country,
          // A country with a rule of its own must be told from others.
          metadata: numberMetadata([config.country, ...config.countries, ...Object.keys(config.recording.countries)]),
        },
        dispositions: config.dispositions,
        dispositionRequired: config.dispositionRequired,
        wrapUpSeconds,
        screenPop,
        pageCommands: config.pageCommands,
        transcription: transcriptionOf(config, agent) === null ? 'off' : 'on',
        recording: recordingPolicyOf(config, agent),
      };
      response.json(profile);
    }),
  );
}
