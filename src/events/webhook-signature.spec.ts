import { describe, expect, it } from '@jest/globals';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { signatureHeaders } from './webhook-signature.js';

const SECRET = `whsec_${Buffer.from('thirty-two bytes of any content!').toString('base64')}`;
const NOW = Math.floor(Date.now() / 1000);
const BODY = '{"event_type":"task.completed","ü":"✓"}';

describe('the signature of a delivery', () => {
  it('is that of the example in the standard', () => {
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1614265330,
      body: '{"test": 2432232314}',
    };
    expect(signatureHeaders(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is verified by the standard’s own library', () => {
    const headers = signatureHeaders({ id: 'event_sub.1', timestamp: NOW, body: BODY }, SECRET);
    expect(new Webhook(SECRET).verify(BODY, headers)).toEqual(JSON.parse(BODY));
  });

  it('is no other’s, of no other id, time or body', () => {
    const headers = signatureHeaders({ id: 'event_sub', timestamp: NOW, body: BODY }, SECRET);
    const other = `whsec_${Buffer.from('another one').toString('base64')}`;
    expect(() => new Webhook(other).verify(BODY, headers)).toThrow(WebhookVerificationError);
    const verify = (body: string, changed: object): unknown =>
      new Webhook(SECRET).verify(body, { ...headers, ...changed });
    expect(() => verify(`${BODY} `, {})).toThrow(WebhookVerificationError);
    expect(() => verify(BODY, { 'webhook-id': 'another' })).toThrow(WebhookVerificationError);
    expect(() => verify(BODY, { 'webhook-timestamp': String(NOW - 1) })).toThrow(WebhookVerificationError);
  });
});
