/**
 * Who may use which route of the relay: the rule every route must have. A route without one fails the test that walks them all, so that nobody
 * adds a door without saying who it is for.
 */

/**
 * `everyone`: says nothing that is secret. `proof`: whoever proves something in the request itself (a code, a signature, a machine's own token).
 * `agent`, `supervisor`, `admin`: a session with that role or a higher one, its own tenant's matters alone; `admin` is also the admin token.
 * `metrics`: this machine, or the metrics token. `session`: what ends or lists the caller's own sessions.
 */
export type AccessRule = 'everyone' | 'proof' | 'agent' | 'supervisor' | 'admin' | 'metrics';

/** Method and pattern → rule. */
export const accessRules: Readonly<Record<string, AccessRule>> = {
  'GET /t/:tenant/salesforce': 'everyone',
  'GET /t/:tenant/salesforce/': 'everyone',
  'GET /salesforce': 'everyone',
  'GET /salesforce/': 'everyone',
  'GET /t/:tenant/hubspot': 'everyone',
  'GET /t/:tenant/hubspot/': 'everyone',
  'GET /hubspot': 'everyone',
  'GET /hubspot/': 'everyone',
  'GET /t/:tenant/page': 'everyone',
  'GET /t/:tenant/page/': 'everyone',
  'GET /page': 'everyone',
  'GET /page/': 'everyone',
  'GET /assets/:name': 'everyone',
  'GET /healthz': 'everyone',
  'GET /readyz': 'everyone',
  'GET /metrics': 'metrics',
  'POST /v1/sessions': 'proof',
  'POST /v1/sessions/resume': 'proof',
  'DELETE /v1/sessions/current': 'agent',
  'GET /v1/sign-in/ways': 'everyone',
  'GET /v1/sign-in/:tenant/:way': 'everyone',
  'GET /v1/sign-in/callback': 'proof',
  'POST /v1/admin/connect/:tenant': 'admin',
  'DELETE /v1/admin/connect/:tenant': 'admin',
  'GET /v1/devices': 'agent',
  'DELETE /v1/devices/:id': 'agent',
  'GET /v1/admin/agents/:tenant/:agent/devices': 'admin',
  'DELETE /v1/admin/agents/:tenant/:agent/devices/:id': 'admin',
  'POST /v1/hubspot/pairing-codes': 'proof',
  'POST /v1/admin/pairing-codes': 'admin',
  'GET /v1/profile': 'agent',
  'POST /v1/credentials': 'agent',
  'POST /v1/freeswitch/directory': 'proof',
  'POST /v1/jambonz/registrations': 'proof',
  'POST /v1/call-records/:tenant/:pbx': 'proof',
  'POST /v1/hubspot/webhooks': 'proof',
  'GET /v1/unlogged': 'agent',
  'GET /v1/team/unlogged': 'supervisor',
  'GET /v1/admin/unlogged': 'admin',
  'POST /v1/calls/:id/log/retry': 'agent',
  'GET /v1/matches': 'agent',
  'GET /v1/records/related': 'agent',
  'GET /v1/calls': 'agent',
  'GET /v1/calls/:id/events': 'agent',
  'GET /v1/live/events': 'agent',
  'POST /v1/admin/agents/:tenant/:agent/revoke': 'admin',
  'GET /v1/admin/deliveries': 'admin',
  'POST /v1/admin/deliveries/retry': 'admin',
  'GET /v1/admin/alerts': 'admin',
  'POST /v1/admin/alerts/:id/acknowledge': 'admin',
  'POST /v1/admin/agents/:tenant/:agent/release': 'admin',
  'POST /v1/admin/tenants/:tenant/release': 'admin',
  'GET /v1/admin/audit': 'admin',
  'GET /v1/admin/webhooks': 'admin',
  'POST /v1/admin/webhooks/test': 'admin',
  'POST /v1/admin/webhooks/replay': 'admin',
};
