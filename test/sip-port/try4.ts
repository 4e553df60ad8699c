import { startBrowser } from '/work/main/test/browser/chromium.ts';
import { accountFor, PhoneInBrowser, servePhonePage } from '/work/main/test/sip-port/phone-in-browser.ts';
import { ScriptedPbx } from './scripted-pbx.ts';
const pbx = await ScriptedPbx.start();
const server = await servePhonePage();
const browser = await startBrowser();
for (let i=0;i<6;i++) {
const page = await browser.newPage();
page.on('console', m=>console.log('  c:', m.text()));
await page.addInitScript(() => { const N = RTCPeerConnection; (window as any).pcs=[]; (window as any).RTCPeerConnection = class extends N { constructor(c: any){ super(c); (window as any).pcs.push(this); const t0=performance.now(); this.addEventListener('connectionstatechange',()=>console.log('pc',this.connectionState,performance.now()-t0|0));} };
 const o = RTCDTMFSender.prototype.insertDTMF; RTCDTMFSender.prototype.insertDTMF = function(...a:any){ console.log('insert', a[0], this.canInsertDTMF, JSON.stringify((window as any).pcs.at(-1).getSenders()[0].getParameters().codecs.map((c:any)=>c.mimeType+c.payloadType))); this.addEventListener('tonechange',(e:any)=>console.log('tone',e.tone)); return o.apply(this,a as any); } });
const phone = await PhoneInBrowser.open(page, server);
await phone.start(accountFor(pbx, '1001'), {username:'x',password:'y',expiresAt:0}, []);
await phone.next('sip.registered');
const before = pbx.far[0].heardDigits();
const { call } = await phone.dial('2001');
const far = await pbx.far[0].answers();
await phone.next('sip.answered', call);
await phone.command('sendDigits', call, '12#');
await new Promise(r=>setTimeout(r,1800));
console.log('heard', pbx.far[0].heardDigits().slice(before.length), far.media.packetsReceived);
await phone.stop(); await page.close();
}
await browser.close(); await server.close(); await pbx.close();
