/** Which way an interrupted call is taken up again, for every kind of far side. */
import type { RecoveryKnowledge, RecoveryWay } from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import {
  isApplication,
  mustMove,
  peerName,
  recoveryWays,
} from '../../../packages/phone-engine/src/sip/recovery-way.ts';

const peers = {
  freeSwitch: 'FreeSWITCH-mod_sofia/1.10.12-release~64bit',
  asterisk: 'Asterisk PBX 22.10.1',
  silent: '',
  baresip: 'baresip v1.0.0 (x86_64/linux)',
  linphone: 'Linphonec/5.1.65 (belle-sip/5.2.0)',
  patchcord: 'Patchcord',
};
const applications = ['*97', '5000'];
const known = (peer: string, way: RecoveryWay, worked: boolean): RecoveryKnowledge => ({ peer, way, worked });

describe('the ways', () => {
  for (const peer of Object.values(peers))
    for (const supports of ['', 'timer', 'timer, Replaces', 'replaces'])
      for (const number of ['+493023125001', '5000', '*43', '#31'])
        for (const way of ['auto', 'resume', 'replaces'] as const)
          it(`of ${peer || 'a far side that says nothing'}, supporting ${supports || 'nothing'}, at ${number}, with ${way}`, () => {
            const ways = recoveryWays({ peer, supports, number }, { way, applications, known: [] });
            const free = peer.startsWith('FreeSWITCH');
            if (free && number !== '+493023125001') expect(ways).toEqual(['resume']);
            else if (way === 'resume') expect(ways).toEqual(['resume', 'replaces']);
            else if (
              way === 'replaces' ||
              free ||
              peer.startsWith('Asterisk') ||
              (/replaces/i.test(supports) && !peer.startsWith('Linphone'))
            )
              expect(ways).toEqual(['replaces', 'resume']);
            else expect(ways).toEqual(['resume', 'replaces']);
          });

  const far = { peer: peers.baresip, supports: '', number: '2001' };
  it.each<[string, readonly RecoveryKnowledge[], readonly RecoveryWay[]]>([
    ['what failed goes last', [known('baresip', 'resume', false)], ['replaces', 'resume']],
    ['whoever writes it', [known('Baresip', 'resume', false)], ['replaces', 'resume']],
    ['what another far side refused means nothing', [known('Asterisk', 'resume', false)], ['resume', 'replaces']],
    [
      'what worked once is no failure',
      [known('baresip', 'resume', false), known('baresip', 'resume', true)],
      ['resume', 'replaces'],
    ],
    [
      'when both failed, the table counts',
      [known('baresip', 'resume', false), known('baresip', 'replaces', false)],
      ['resume', 'replaces'],
    ],
    ['what worked changes nothing by itself', [known('baresip', 'replaces', true)], ['resume', 'replaces']],
  ])('%s', (_, knowledge, ways) => {
    expect(recoveryWays(far, { way: 'auto', applications, known: knowledge })).toEqual(ways);
  });

  it('what is known never has an application replaced, nor does the profile', () => {
    const menu = { peer: peers.freeSwitch, supports: 'replaces', number: '5000' };
    const knowledge = [known('FreeSWITCH-mod_sofia', 'resume', false)];
    expect(recoveryWays(menu, { way: 'auto', applications, known: knowledge })).toEqual(['resume']);
    expect(recoveryWays(menu, { way: 'replaces', applications, known: knowledge })).toEqual(['resume']);
  });
});

describe('a far side', () => {
  it.each([
    [peers.freeSwitch, 'FreeSWITCH-mod_sofia'],
    [peers.asterisk, 'Asterisk'],
    [peers.baresip, 'baresip'],
    ['Linphonec/5.1.65 (belle-sip/5.2.0)', 'Linphonec'],
    ['Patchcord', 'Patchcord'],
    ['Yealink SIP-T46G 66.84.0.10', 'Yealink'],
    ['3CXPhoneSystem 18', '3CXPhoneSystem'],
    ['snom870-8.7.5', 'snom'],
    ['(unnamed)', ''],
    ['', ''],
    ['x'.repeat(500), 'x'.repeat(60)],
  ])('that says %s is called %s', (says, name) => {
    expect(peerName(says)).toBe(name);
  });

  it('is an application by its number, or by being a feature code', () => {
    expect(['5000', '*1', '#9', '+4930', '50001'].map((number) => isApplication(number, applications))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('has to be moved to the new connection only where it is FreeSWITCH, and nobody an application', () => {
    const recovery = { way: 'auto', applications, known: [] } as const;
    const moves = (peer: string, number: string) => mustMove({ peer, number, supports: 'replaces' }, recovery);
    expect(moves(peers.freeSwitch, '2001')).toBe(true);
    expect(moves('FusionPBX', '2001')).toBe(true);
    expect(moves(peers.freeSwitch, '5000')).toBe(false);
    expect(moves(peers.asterisk, '2001')).toBe(false);
    expect(moves('', '2001')).toBe(false);
  });
});
