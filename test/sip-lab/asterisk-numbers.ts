/**
 * Owns what tests add to the dial plan of the laboratory's Asterisk so that calls end in every way a network can end them. Must never be part of
 * the recipe: no office has such numbers.
 */

/** For `more` of startAsterisk: 4302 has moved to 1001; 4403, 4480, 4486 and 4603 refuse with 403, 480, 486 and 603. */
export const numbersThatRefuse: Readonly<Record<'extensions.conf' | 'modules.conf', string>> = {
  'modules.conf': 'load=app_transfer.so\n',
  'extensions.conf': [
    '[from-internal]',
    'exten => 4302,1,Transfer(PJSIP/sip:1001@${DOMAIN})',
    'exten => 4403,1,Hangup(21)',
    'exten => 4480,1,Hangup(19)',
    'exten => 4486,1,Hangup(17)',
    'exten => 4603,1,Hangup()',
    '',
  ].join('\n'),
};
