import { startSwitch } from '/work/main/sandbox/src/switch/index.ts';
import { startBrowser } from '/work/main/test/browser/chromium.ts';
import { accountFor, PhoneInBrowser, servePhonePage } from '/work/main/test/sip-port/phone-in-browser.ts';
const pbx = await startSwitch({ domain: 'sandbox.example', credentialSecret: 's', iceAddresses: ['127.0.0.1'], sound: 'tones' });
const server = await servePhonePage();
const browser = await startBrowser();
const cases: Record<string, any[]> = { none: [], stun: [{urls:['stun:192.0.2.1:3478']}], turn: [{urls:['turn:192.0.2.1:3478?transport=udp'],username:'a',credential:'b'}] };
const results: Record<string, number[][]> = {};
for (let round=0; round<7; round++) for (const [name, ice] of Object.entries(cases)) {
  const page = await browser.newPage();
  const phone = await PhoneInBrowser.open(page, server);
  await phone.start(accountFor(pbx, '1001'), pbx.credential('1001'), ice);
  await phone.next('sip.registered');
  await new Promise(r=>setTimeout(r,300));
  const times = [];
  for (let i=0;i<2;i++){
    const { call, at } = await phone.dial('+493023125001');
    await phone.next('sip.answered', call);
    const sent = (await phone.sent()).filter(m => m.text.startsWith('INVITE') && m.at > at);
    times.push(sent[0]!.at - at);
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call);
  }
  (results[name] ??= []).push(times.map(t=>+t.toFixed(1)));
  await phone.stop(); await page.close();
}
for (const [n, r] of Object.entries(results)) { const med=(k:number)=>r.map(x=>x[k]!).sort((a,b)=>a-b)[3]; console.log(n, 'first', med(0), 'second', med(1), JSON.stringify(r)); }
await browser.close(); await server.close(); await pbx.close();
