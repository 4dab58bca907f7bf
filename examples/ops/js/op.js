// Signs the body with a key that it is shown: `Authorization: HMAC key-id:mac`.
import { bytes, param } from 'txco:op/call@1.0.0';
import { reveal } from 'txco:op/secrets@1.0.0';

function failure(message) {
  return { code: 'js-signer-err', message };
}

export async function handle() {
  const keyId = param('key_id');
  if (keyId?.tag !== 'text') throw failure('key_id is missing in WITH');
  const body = bytes('body');
  if (!body) throw failure('there is no body to sign');
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  // The key is copied into this op's own memory, which is wiped when the call ends.
  const key = await crypto.subtle.importKey('raw', reveal('key', 0), algorithm, false, ['sign']);
  const mac = await crypto.subtle.sign(algorithm, key, body.read(0n, Number(body.len())));
  const hex = Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    { path: '@computed.authorization', class: 'credential', value: { tag: 'text', val: `HMAC ${keyId.val}:${hex}` } },
  ];
}
