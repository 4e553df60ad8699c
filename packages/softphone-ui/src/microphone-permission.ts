/**
 * Whether this frame may use the microphone, before a call fails over it: the frame's permission policy (the CRM page decides) and the
 * agent's own choice in the browser. Must never ask for the microphone; that happens with the first call.
 */
import { type ReadonlySignal, signal } from '@preact/signals';

/** `not-passed-on`: the page around the panel does not let it use the microphone. `refused`: the agent or the browser said no. */
export type MicrophonePermission = 'unknown' | 'allowed' | 'refused' | 'not-passed-on';

interface PermissionPolicy {
  allowsFeature(feature: string): boolean;
}

/** Follows the permission for as long as the page lives. Browsers that can't tell leave it at `unknown`. */
export function watchMicrophonePermission(
  page: Document,
  permissions: Permissions | undefined,
): ReadonlySignal<MicrophonePermission> {
  const permission = signal<MicrophonePermission>('unknown');
  const policies = page as Document & { permissionsPolicy?: PermissionPolicy; featurePolicy?: PermissionPolicy };
  const policy = policies.permissionsPolicy ?? policies.featurePolicy;
  if (policy?.allowsFeature('microphone') === false) {
    permission.value = 'not-passed-on';
    return permission;
  }
  permissions
    ?.query({ name: 'microphone' as PermissionName })
    .then((status) => {
      const read = () => {
        permission.value = status.state === 'denied' ? 'refused' : status.state === 'granted' ? 'allowed' : 'unknown';
      };
      status.onchange = read;
      read();
    })
    .catch(() => undefined);
  return permission;
}
