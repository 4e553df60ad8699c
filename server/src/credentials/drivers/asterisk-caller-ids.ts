/**
 * The numbers that an agent's phone may show, where the dial plan of deploy/asterisk looks for them: the global variable CALLERIDS_<extension>,
 * since ARI may write nothing lasting. Owns when it is told: with the first device after a start of Asterisk or of this relay. Must never keep
 * anybody from signing in: an Asterisk that was not told lets no number be chosen.
 */
import type { Log } from '../../logging.ts';
import type { AriClient } from '../ari.ts';

/** @param tenant Named in the log */
export function asteriskCallerIds(ari: Pick<AriClient, 'setVariable'>, tenant: string, log: Log) {
  const told = new Set<string>();
  return {
    /**
     * Says what the extension's phone may show. Resolves in any case.
     * @param again Asterisk has forgotten it, or may have
     */
    async tell(extension: string, numbers: readonly string[], again: boolean): Promise<void> {
      // In the name of a variable nothing else may stand.
      if (!/^[0-9A-Za-z]{1,32}$/.test(extension) || (told.has(extension) && !again)) return;
      told.add(extension);
      const plain = numbers.filter((number) => /^\+?[0-9]{1,32}$/.test(number));
      try {
        await ari.setVariable(`CALLERIDS_${extension}`, plain.join('&'));
      } catch (error) {
        told.delete(extension);
        log.warn({ tenant, extension, err: error }, 'Asterisk was not told which caller IDs may be shown');
      }
    },
  };
}
