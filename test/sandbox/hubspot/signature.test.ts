import { describe, expect, it } from 'vitest';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';

describe('X-HubSpot-Signature-v3', () => {
  it.each([
    [
      'POST',
      'https://relay.example.test/v1/dial?userId=42&portalId=1234567&userEmail=agent%40example.com&appId=99',
      '{"to":"+14155550123","objectId":501}',
      '/+WJ2ocjzHzg2HbheZ02++1+yZcEhIQ/81sLsGgE9mI=',
    ],
    [
      'GET',
      'https://relay.example.test/v1/calls?userId=42&portalId=1234567&userEmail=agent%40example.com&appId=99',
      '',
      '3jL1e74QjhV9E+qCDPLsCgYbHopvU+4KQc/VKcOVylA=',
    ],
    [
      'POST',
      'https://relay.example.test/v1/dial?note=a%20b%26c&userEmail=x%2By%40e.com',
      '{"n":"café"}',
      '4My2/gGzJvhoZmBFxtSTr0kiIu8hEQ/QahwpWln60/o=',
    ],
  ])('signs %s %s as HubSpot does', (method, url, body, signature) => {
    const signed = signatureV3({ secret: 'test-client-secret', method, url, body, timestamp: '1790000001000' });
    expect(signed).toBe(signature);
  });
});
